"""`arch.npy`: one architecture; `np.load` reads the plain vector."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from nascli.artifacts.base import FORMATS, Artifact
from nascli.artifacts.files import canonical_json, sha256
from nascli.artifacts.formats import MAX_HEADER_BYTES, reading
from nascli.artifacts.header import Entry, Header, SpaceRecord
from nascli.errors import ArtifactError
from nascli.space import Space, compact
from nascli.space.exchange import Answer, read_answer, wrong_form

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
    answer: Answer | None = None
    """What a tuner chose, by name; which architecture that is, a search space that `adopt`s it knows."""

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
        """Read the header; a plain vector of numpy and an answer in JSON have none: a space must `adopt` them."""
        if path.suffix == ".npy" and path.is_file() and not FORMATS[".npy"].read_header(path):
            return cls._external(
                FORMATS[".npy"].read_content(path, Header(kind=cls.kind, schema_version=1))["arch"], path
            )
        if path.suffix == ".json" and path.is_file():
            value = _json(path)
            wrong = wrong_form(value)
            if not wrong:
                return cls._answered(value, path)
            if not (isinstance(value, dict) and "header" in value):
                raise ArtifactError(f"{path}: {wrong}")
        return super().open(path)

    @classmethod
    def _answered(cls, answer: Answer, path: Path) -> Self:
        found = cls(summary={"origin": "external"}, path=path)
        with reading(path):
            raw = canonical_json(answer)
        found.header = found.header.sealed((Entry(name="answer", dtype="json", shape=(len(raw),), sha256=sha256(raw)),))
        found.answer = answer
        return found

    @property
    def payload(self) -> Choice:
        """The architecture.

        Raises:
            ArtifactError: the contents do not fit the digest, or an answer was not adopted.
        """
        if self.answer is not None:
            raise ArtifactError(f"{self.path}: an answer tells its architecture to a search space alone")
        return super().payload

    def check_file(self) -> None:
        """Compare the file's contents with what the header says of them; an answer was read whole when opened."""
        if self.answer is None:
            super().check_file()

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
            what = f"'{text}' is no architecture: neither a file nor whole numbers with commas"
            hint = "one index a decision, such as 0,2,1; what they choose: nascli inspect SPACE"
            raise ArtifactError(what, hint=hint) from None

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
            arch = self._fitting(record.space())
        except ArtifactError as error:
            zeros = compact([0] * len(record.space().decisions))
            hint = f"one that exists: --arch {zeros}; what the numbers choose: nascli inspect SPACE"
            raise ArtifactError(f"{self.path or '--arch'}: {error.what}", why=error.why, hint=hint) from None
        adopted = Architecture(Choice(tuple(arch)), space=record, summary=self.header.summary, path=self.path)
        adopted.header = adopted.header.sealed(self.header.manifest)  # what the user's file holds, whoever adopts it
        return adopted

    def _fitting(self, space: Space) -> Sequence[int]:
        if self.answer is not None:
            found: list[int] = read_answer(space, self.answer).tolist()
            return found
        space.check(self.payload.arch)
        return self.payload.arch


def is_answer(path: Path) -> bool:
    """Whether a file is an answer in JSON."""
    try:
        return path.suffix == ".json" and not wrong_form(_json(path))
    except ArtifactError:
        return False


def _json(path: Path) -> Any:
    """Raises ArtifactError where a key stands twice, or a number is none."""
    with reading(path):
        if path.stat().st_size > MAX_HEADER_BYTES:
            raise ArtifactError(f"{path}: {path.stat().st_size} bytes are too many for an architecture")
        return json.loads(path.read_bytes(), object_pairs_hook=_distinct, parse_constant=_refuse)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for key, times in Counter(key for key, _ in pairs).items():
        if times > 1:
            raise ValueError(f"key '{key}' stands {times} times")
    return dict(pairs)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")
