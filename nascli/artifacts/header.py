"""The header that every artifact carries, and the digest that ties it to its contents."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nascli import __version__
from nascli.artifacts.files import canonical_json, sha256
from nascli.errors import ArtifactError
from nascli.space import Space

FORMAT = "nascli"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class SpaceRecord(_Record):
    """The search space: how it was named, and the whole of it as data."""

    use: str
    options: dict[str, Any]
    source: str | None = Field(default=None, description="sha256 of the file or folder behind a file reference")
    description: dict[str, Any]
    fingerprint: str

    def space(self) -> Space:
        """The space as pure data."""
        return Space.from_description(self.description)


class DataRecord(_Record):
    """The data: names, sizes and the split; `fingerprint` covers the images and the split."""

    name: str
    classes: tuple[str, ...]
    image_shape: tuple[int, ...]
    sizes: dict[str, int]
    split: dict[str, float | int]
    fingerprint: str


class Entry(_Record):
    """One piece of the contents. dtype "json": a JSON value, its shape the number of bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    sha256: str


class Header(_Record):
    """What an artifact says of itself.

    `digest` covers everything but `nascli_version`, `storage` and `provenance`; each input counts by its digest.
    """

    format: str = FORMAT
    kind: str
    schema_version: int
    nascli_version: str = __version__
    space: SpaceRecord | None = None
    data: DataRecord | None = None
    config: dict[str, Any] = {}
    inputs: dict[str, Header] = {}
    conventions: dict[str, str] = {}
    summary: dict[str, Any] = {}
    manifest: tuple[Entry, ...] = ()
    digest: str = ""
    storage: dict[str, str] = Field(default={}, description="sha256 of the records of the file itself")
    provenance: dict[str, Any] = {}

    def compute_digest(self) -> str:
        """The digest that this header should carry."""
        covered = {"format", "kind", "schema_version", "space", "data", "config", "conventions", "summary", "manifest"}
        identity = self.model_dump(mode="json", include=covered)
        identity["inputs"] = {role: header.digest for role, header in self.inputs.items()}
        return sha256(canonical_json(identity))

    def sealed(self, manifest: tuple[Entry, ...]) -> Header:
        """This header with its contents listed and its digest computed."""
        listed = self.model_copy(update={"manifest": manifest})
        return listed.model_copy(update={"digest": listed.compute_digest()})

    def to_bytes(self) -> bytes:
        """The header as JSON."""
        return canonical_json(self.model_dump(mode="json"))

    def verify(self, where: str) -> None:
        """Check the digest of this header and of all it was made from.

        Raises:
            ArtifactError: a digest does not fit.
        """
        if self.compute_digest() != self.digest:
            raise ArtifactError(f"{where}: the header was changed after it was written (its digest does not fit)")
        for role, header in self.inputs.items():
            header.verify(f"{where}, input '{role}'")


def parse_header(raw: bytes, where: str) -> Header:
    """Read a header back.

    Raises:
        ArtifactError: not JSON, not a header of nascli, or a digest that does not fit.
    """
    try:
        header = Header.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "header"
        raise ArtifactError(f"{where}: its header cannot be read", why=f"{place}: {first['msg']}"[:200]) from None
    if header.format != FORMAT:
        raise ArtifactError(f"{where}: not a file of nascli (format '{header.format[:20]}')")
    header.verify(where)
    return header


def provenance(extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Where and when: what may differ between two runs that give the same artifact."""
    packages = ("torch", "torchvision", "numpy", "h5py", "fvcore", "pydantic")
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in packages},
        **(extra or {}),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
