"""`arch.npy`: one architecture; `np.load` reads the plain vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from nascli.artifacts.base import FORMATS, Artifact
from nascli.artifacts.header import Header, SpaceRecord
from nascli.errors import ArtifactError
from nascli.space import Space

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class Choice:
    """The architecture, one index per decision; scores and costs stand in the header's summary."""

    arch: tuple[int, ...]


class Architecture(Artifact[Choice]):
    """One architecture of a search space (numpy)."""

    kind = "architecture"
    suffix = ".npy"
    made_by = "nascli search -c CONFIG --supernet supernet.pt -o arch.npy"
    contents = {"arch": "int64 (decisions,): the index of the chosen candidate of each decision"}

    def pack(self, payload: Choice) -> dict[str, npt.NDArray[np.int64]]:
        import numpy as np

        return {"arch": np.array(payload.arch, dtype=np.int64)}

    def unpack(self, content: Mapping[str, Any], space: Space | None) -> Choice:
        vector = content["arch"]
        if vector.ndim != 1:
            raise ArtifactError(f"{self.path}: expected one architecture, found shape {vector.shape}")
        checked = space.check(vector)[0] if space is not None else vector
        return Choice(tuple(int(i) for i in checked))

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read the header; a plain vector of numpy has none, is read at once, and must be `adopt`ed by a space."""
        if path.suffix == ".npy" and path.is_file() and not FORMATS[".npy"].read_header(path):
            return cls._external(
                FORMATS[".npy"].read_content(path, Header(kind=cls.kind, schema_version=1))["arch"], path
            )
        return super().open(path)

    @classmethod
    def written(cls, text: str) -> Self:
        """An architecture written by hand: "0,2,1".

        Raises:
            ArtifactError: something else than whole numbers with commas.
        """
        import numpy as np

        try:
            return cls._external(np.array([int(part) for part in text.split(",")]), None)
        except (ValueError, OverflowError):
            raise ArtifactError(f"'{text}' is no architecture: neither a file nor whole numbers with commas") from None

    @classmethod
    def _external(cls, vector: npt.NDArray[Any], path: Path | None) -> Self:
        if vector.ndim != 1 or vector.dtype.kind not in "iu":
            found = f"shape {vector.shape}, dtype {vector.dtype}"
            raise ArtifactError(f"{path or 'architecture'}: expected one vector of whole numbers, found {found}")
        return cls(Choice(tuple(int(i) for i in vector)), summary={"origin": "external"}, path=path).sealed()

    @property
    def is_external(self) -> bool:
        """Whether no search of nascli made it."""
        return self.header.space is None

    def adopt(self, record: SpaceRecord) -> Architecture:
        """An external architecture as one of the given space.

        Raises:
            ArtifactError: it does not fit the space.
        """
        try:
            record.space().check(self.payload.arch)
        except ArtifactError as error:
            raise ArtifactError(f"{self.path or '--arch'}: {error.what}") from None
        return Architecture(self.payload, space=record, summary=self.header.summary, path=self.path).sealed()
