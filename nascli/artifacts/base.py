"""`Artifact`: header first, payload on first use, written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

from nascli import __version__
from nascli.artifacts.formats import Format, Hdf5Format, JsonFormat, NpyFormat, reading
from nascli.artifacts.header import DataRecord, Header, SpaceRecord, parse_header
from nascli.artifacts.torch_format import TorchFormat
from nascli.errors import ArtifactError, Mismatch
from nascli.space import Space

P = TypeVar("P")

FORMATS: Mapping[str, Format] = {
    ".h5": Hdf5Format(),
    ".pt": TorchFormat(),
    ".npy": NpyFormat(),
    ".json": JsonFormat(),
}


class Artifact(Generic[P]):
    """One file that a stage writes and another reads.

    A new artifact is made of its payload (a frozen dataclass); `open` gives one whose payload is read, and
    checked against the digest, when it is first asked for.

    `conventions`: what its numbers count. `contents`: the names in its manifest and what they hold, capitals
    standing for a part that varies; the reference is made from both.
    """

    kind: ClassVar[str]
    suffix: ClassVar[str]
    made_by: ClassVar[str]
    version: ClassVar[int] = 1
    conventions: ClassVar[Mapping[str, str]] = {}
    contents: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        payload: P | None = None,
        *,
        space: SpaceRecord | None = None,
        data: DataRecord | None = None,
        summary: Mapping[str, Any] | None = None,
        conventions: Mapping[str, str] | None = None,
        header: Header | None = None,
        path: Path | None = None,
    ) -> None:
        self._payload, self.path = payload, path
        self.header = header or Header(
            kind=self.kind,
            schema_version=self.version,
            space=space,
            data=data,
            summary=dict(summary or {}),
            conventions={**self.conventions, **(conventions or {})},
        )

    def pack(self, payload: P) -> Any:
        """The payload as the content of its format."""
        raise NotImplementedError

    def unpack(self, content: Any, space: Space | None) -> P:
        """The payload again; raises ArtifactError where the content makes no sense for the space."""
        raise NotImplementedError

    @property
    def payload(self) -> P:
        """What the artifact holds.

        Raises:
            ArtifactError: the contents do not fit the digest.
        """
        if self._payload is None:
            if self.path is None:
                raise ArtifactError(f"this {self.kind} holds nothing")
            try:
                with reading(self.path):
                    content = FORMATS[self.suffix].read_content(self.path, self.header)
                    self.check_contents(content)
                    self._payload = self.unpack(content, self.header.space.space() if self.header.space else None)
            except ArtifactError as error:
                error.what = error.what if str(self.path) in error.what else f"{self.path}: {error.what}"
                raise
        return self._payload

    def check_file(self) -> None:
        """Compare the file's contents with what the header says of them; torch is not needed.

        Raises:
            ArtifactError: something differs.
        """
        if self.path is None:
            return
        form = FORMATS[self.suffix]
        with reading(self.path):
            if isinstance(form, TorchFormat):
                form.check_storage(self.path, self.header)
            else:
                self.check_contents(form.read_content(self.path, self.header))

    def check_contents(self, content: Any) -> None:
        """Compare the contents with the manifest.

        Raises:
            ArtifactError: something differs; it is named.
        """
        manifest = FORMATS[self.suffix].manifest(content)
        if manifest == self.header.manifest:
            return
        found = {entry.name: entry for entry in manifest}
        for entry in self.header.manifest:
            if found.pop(entry.name, None) != entry:
                raise ArtifactError(
                    f"{self.path}: '{entry.name or 'structure'}' differs from what was written (digest)"
                )
        raise ArtifactError(f"{self.path}: '{next(iter(found), 'order')}' was added after it was written")

    def sealed(self) -> Self:
        """Fix manifest and digest from the payload."""
        content = self.pack(self.payload)
        self.header = self.header.sealed(FORMATS[self.suffix].manifest(content))
        return self

    def write(self, path: Path) -> Self:
        """Seal and write to `path`, replacing it whole."""
        content = self.pack(self.payload)
        self.header = self.header.sealed(FORMATS[self.suffix].manifest(content))
        FORMATS[self.suffix].write(path, self.header, content)
        self.path = path
        return self

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read the header; the payload follows on first use.

        Raises:
            ArtifactError: missing, broken, of another kind, or newer than this nascli.
        """
        header = read_header(path)
        if header.kind != cls.kind:
            what = f"{path} is {_a(header.kind)}, expected {_a(cls.kind)}"
            raise ArtifactError(what, hint=f"make one: {cls.made_by}")
        if header.schema_version > cls.version:
            raise ArtifactError(
                f"{path}: {cls.kind} of schema version {header.schema_version}, this nascli reads {cls.version}",
                why=f"written by nascli {header.nascli_version}, this is {__version__}",
                hint="pip install --upgrade nascli",
            )
        return cls(header=header, path=path)

    @property
    def space(self) -> SpaceRecord:
        """The record of the search space.

        Raises:
            ArtifactError: the header has none.
        """
        if self.header.space is None:
            raise ArtifactError(f"{self.path or self.kind}: its header names no search space")
        return self.header.space


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def read_header(path: Path) -> Header:
    """The header of any artifact, by the file's suffix, without torch.

    Raises:
        ArtifactError: missing, broken, or no artifact.
    """
    if not path.exists():
        raise ArtifactError(f"{path}: no such file")
    if path.is_dir():
        raise ArtifactError(f"{path} is a folder, expected a file")
    if path.suffix not in FORMATS:
        hint = "what is there: nascli inspect FOLDER; a YAML is checked by --dry-run of a stage"
        raise ArtifactError(f"{path}: artifacts end in {', '.join(FORMATS)}", hint=hint)
    with reading(path):
        raw = FORMATS[path.suffix].read_header(path)
        if not raw:
            raise ArtifactError(f"{path}: not a file of nascli (it has no header)")
        return parse_header(raw, str(path))


def same_space(expected: Space, found: SpaceRecord, where: str, hint: str = "") -> None:
    """Raises Mismatch unless `found` is the expected search space."""
    if found.fingerprint != expected.fingerprint:
        names = f"'{found.description.get('name')}' ({found.fingerprint[:12]})"
        raise Mismatch(
            f"{where} is of the search space {names}, not '{expected.name}' ({expected.fingerprint[:12]})",
            why=_differing(expected.describe(), found.description),
            hint=hint,
        )


def _differing(expected: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """The first thing that tells two descriptions of spaces apart."""
    names, others = dict(_leaves(expected)), dict(_leaves(found))
    for name, value in names.items():
        if others.get(name, value) != value:
            return f"{name} is {others[name]!r:.60} there, {value!r:.60} here"
    return "one has decisions, candidates or blocks that the other has not"


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """What stands in nested lists and mappings, by its path."""
    if not isinstance(value, Mapping | list | tuple):
        yield name, value
        return
    for key, item in value.items() if isinstance(value, Mapping) else enumerate(value):
        yield from _leaves(item, f"{name}.{key}" if name else str(key))


def same_data(expected: DataRecord, found: DataRecord | None, where: str) -> None:
    """Raises Mismatch unless `found` is the expected data with the expected split."""
    if found is not None and found.fingerprint != expected.fingerprint:
        raise Mismatch(
            f"{where} was made on '{found.name}' ({found.fingerprint[:12]}), not on '{expected.name}' "
            f"({expected.fingerprint[:12]})",
            why="the images, the split, its shares or the normalisation differ",
            hint="name the data it was made on: -c CONFIG, or --set dataflow=…",
        )
