"""The header that every artifact carries, and the digest that ties it to its contents."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nascli import __version__
from nascli.artifacts.files import canonical_json, sha256
from nascli.errors import ArtifactError, UsageError
from nascli.space import Space

FORMAT = "nascli"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class SpaceRecord(_Record):
    """The search space: how it was named, and the whole of it as data."""

    use: str = Field(description="the reference as it was written: a name, or a class in a file")
    options: dict[str, Any] = Field(description="all options of the space, defaults too")
    source: str | None = Field(default=None, description="sha256 of the file or folder behind a file reference")
    description: dict[str, Any] = Field(description="the whole space as data: decisions, candidates, shapes")
    fingerprint: str = Field(description="sha256 of the description; equal spaces have equal ones")

    def space(self) -> Space:
        """The space as pure data.

        Raises:
            ArtifactError: the description is no space, or not the one of the fingerprint.
        """
        try:
            found = Space.from_description(self.description)
        except (KeyError, TypeError, ValueError, IndexError, UsageError) as error:
            raise ArtifactError(f"search space '{self.use}': its description cannot be read", why=str(error)) from None
        if found.fingerprint != self.fingerprint:
            raise ArtifactError(f"search space '{self.use}': its fingerprint does not fit its description")
        return found


class DataRecord(_Record):
    """The data: names, sizes and the split; `fingerprint` covers the images and the split."""

    name: str = Field(description="the name of the data set")
    classes: tuple[str, ...] = Field(description="names of the classes in the order of the labels")
    image_shape: tuple[int, ...] = Field(description="channels, height, width")
    sizes: dict[str, int] = Field(description="split → number of images")
    split: dict[str, float | int] = Field(description="seed and shares of the split")
    fingerprint: str = Field(description="sha256 over images, labels and split")


class Entry(_Record):
    """One piece of the contents. dtype "json": a JSON value, its shape the number of bytes."""

    name: str = Field(description="where it stands in the contents")
    dtype: str = Field(description="as numpy or torch name it, or json")
    shape: tuple[int, ...] = Field(description="lengths of the axes")
    sha256: str = Field(description="of the bytes")


class Header(_Record):
    """What an artifact says of itself.

    `digest` covers everything but `nascli_version`, `storage` and `provenance`; each input counts by its digest,
    the manifest by `contents`. A header among the inputs of another leaves its manifest out.
    """

    format: str = Field(default=FORMAT, description="always nascli")
    kind: str = Field(description="which artifact this is")
    schema_version: int = Field(description="version of the kind; a newer one than nascli knows is refused")
    nascli_version: str = Field(default=__version__, description="the nascli that wrote it")
    space: SpaceRecord | None = Field(default=None, description="the search space")
    data: DataRecord | None = Field(default=None, description="the data set and its split")
    config: dict[str, Any] = Field(
        default={}, description="the settings of the stage, but those that say only how to run"
    )
    inputs: dict[str, Header] = Field(
        default={}, description="role → the whole header of each input: lineage needs no other file"
    )
    conventions: dict[str, str] = Field(default={}, description="what the numbers count, and their units")
    summary: dict[str, Any] = Field(default={}, description="results and facts that every view shows")
    manifest: tuple[Entry, ...] = Field(default=(), description="what the contents are made of")
    contents: str = Field(default="", description="sha256 of the manifest")
    digest: str = Field(default="", description="sha256 that covers what this run repeats; see above")
    storage: dict[str, str] = Field(default={}, description="sha256 of the records of the file itself")
    provenance: dict[str, Any] = Field(
        default={}, description="time, host, versions, threads: what two equal runs may differ in"
    )

    def compute_digest(self) -> str:
        """The digest that this header should carry."""
        covered = {"format", "kind", "schema_version", "space", "data", "config", "conventions", "summary", "contents"}
        identity = self.model_dump(mode="json", include=covered)
        identity["inputs"] = {role: header.digest for role, header in self.inputs.items()}
        return sha256(canonical_json(identity))

    @property
    def content_id(self) -> str:
        """What tells this input from another: its digest; of a user's own file, its contents alone.

        A user's own architecture is recorded with the space that adopted it, which its file does not name.
        """
        if self.summary.get("origin") != "external":
            return self.digest
        return self.contents

    def sealed(self, manifest: tuple[Entry, ...]) -> Header:
        """This header with its contents listed and its digest computed."""
        listed = self.model_copy(update={"manifest": manifest, "contents": _contents(manifest)})
        return listed.model_copy(update={"digest": listed.compute_digest()})

    def as_input(self) -> Header:
        """This header as another one carries it: its manifest left out, which grows with the network."""
        return self.model_copy(update={"manifest": ()})

    def to_bytes(self) -> bytes:
        """The header as JSON."""
        return canonical_json(self.model_dump(mode="json"))

    def verify(self, where: str, *, as_input: bool = False) -> None:
        """Check the digest of this header and of all it was made from.

        Args:
            where: for the message.
            as_input: the manifest may be left out.

        Raises:
            ArtifactError: a digest does not fit.
        """
        listed = bool(self.manifest) or not as_input
        if self.compute_digest() != self.digest or (listed and _contents(self.manifest) != self.contents):
            raise ArtifactError(f"{where}: the header was changed after it was written (its digest does not fit)")
        for role, header in self.inputs.items():
            header.verify(f"{where}, input '{role}'", as_input=True)


def _contents(manifest: tuple[Entry, ...]) -> str:
    return sha256(canonical_json([entry.model_dump(mode="json") for entry in manifest]))


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
    """Where, when and by which command: what may differ between two runs that give the same artifact."""
    packages = ("torch", "torchvision", "numpy", "h5py", "onnxruntime", "pydantic")
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(sys.argv),
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
