"""The file formats behind the artifacts: HDF5, .npy and JSON. None of them runs code on reading.

Each format has `write(path, header, content)`, `read_header(path)` and `read_content(path)`;
the content is a mapping of names to numpy arrays (JSON: to JSON values).
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeAlias

from nascli.artifacts.files import atomic_write, canonical_json, sha256, write_bytes
from nascli.artifacts.header import Entry, Header
from nascli.errors import ArtifactError

if TYPE_CHECKING:
    import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"

MAX_HEADER_BYTES = 64 * 2**20
MAX_CONTENT_BYTES = 2 * 2**30


class Format(Protocol):
    """How one suffix is written and read."""

    def manifest(self, content: Any) -> tuple[Entry, ...]:
        """The list of (name, dtype, shape, sha256) of the contents."""

    def write(self, path: Path, header: Header, content: Any) -> None:
        """Write header and content, whole or not at all."""

    def read_header(self, path: Path) -> bytes:
        """The raw header, without torch and without the content."""

    def read_content(self, path: Path, header: Header) -> Any:
        """The content; checked against the manifest by the caller."""


def array_manifest(content: Mapping[str, Array]) -> tuple[Entry, ...]:
    """The manifest of named numpy arrays."""
    import numpy as np

    return tuple(
        Entry(name=name, dtype=str(array.dtype), shape=array.shape, sha256=sha256(np.ascontiguousarray(array).data))
        for name, array in sorted(content.items())
    )


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a reader raises on a broken file into an ArtifactError."""
    try:
        yield
    except ArtifactError:
        raise
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file") from None
    except MemoryError:
        raise ArtifactError(f"{path}: declares more data than fits into memory") from None
    except Exception as error:
        why = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise ArtifactError(f"{path}: cannot be read; it is broken or of another kind", why=why[:200]) from None


@contextmanager
def using(where: object) -> Iterator[None]:
    """Turn what contents lead to that fit their digest but are not what a stage writes into an ArtifactError."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        if "memory" in str(error):
            raise
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ArtifactError(f"{where}: what it holds is not what a stage writes", why=why[:200]) from error


class NpyFormat:
    """`.npy`: the plain array first (`np.load` reads it), the header's JSON as a second array behind it."""

    def manifest(self, content: Mapping[str, Array]) -> tuple[Entry, ...]:
        return array_manifest(content)

    def write(self, path: Path, header: Header, content: Mapping[str, Array]) -> None:
        import numpy as np

        def save(stream: IO[bytes]) -> None:
            np.save(stream, content["arch"], allow_pickle=False)
            np.save(stream, np.frombuffer(header.to_bytes(), dtype=np.uint8), allow_pickle=False)

        atomic_write(path, save)

    def read_header(self, path: Path) -> bytes:
        with reading(path), path.open("rb") as stream:
            _read_array(stream, path)
            return _read_array(stream, path).tobytes() if stream.peek(1) else b""

    def read_content(self, path: Path, header: Header | None = None) -> dict[str, Array]:
        with reading(path), path.open("rb") as stream:
            return {"arch": _read_array(stream, path)}


def _read_array(stream: IO[bytes], path: Path) -> Array:
    import numpy as np

    start = stream.tell()
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    declared = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if dtype.hasobject or min(shape, default=0) < 0 or declared > MAX_HEADER_BYTES:
        raise ArtifactError(f"{path}: holds objects, or declares {shape} of {dtype}: not an architecture")
    stream.seek(start)
    array: Array = np.load(stream, allow_pickle=False)
    return array


class JsonFormat:
    """`.json`: the header first, then the values of the report."""

    def manifest(self, content: Mapping[str, Any]) -> tuple[Entry, ...]:
        raw = canonical_json(content["report"])
        return (Entry(name="report", dtype="json", shape=(len(raw),), sha256=sha256(raw)),)

    def write(self, path: Path, header: Header, content: Mapping[str, Any]) -> None:
        value = {"header": header.model_dump(mode="json"), **content}
        text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
        write_bytes(path, text.encode() + b"\n")

    def read_header(self, path: Path) -> bytes:
        return canonical_json(self._load(path)["header"])

    def read_content(self, path: Path, header: Header) -> dict[str, Any]:
        return {key: value for key, value in self._load(path).items() if key != "header"}

    def _load(self, path: Path) -> dict[str, Any]:
        with reading(path):
            if path.stat().st_size > MAX_HEADER_BYTES:
                raise ArtifactError(f"{path}: {path.stat().st_size} bytes are too many for a report")
            value = json.loads(path.read_bytes())
            if not isinstance(value, dict) or "header" not in value:
                raise ArtifactError(f"{path}: not a file of nascli (it has no header)")
            return value


class Hdf5Format:
    """`.h5`: a uint8 data set `/header` beside plain numeric data sets; always rewritten whole."""

    def manifest(self, content: Mapping[str, Array]) -> tuple[Entry, ...]:
        return array_manifest(content)

    def write(self, path: Path, header: Header, content: Mapping[str, Array]) -> None:
        import h5py
        import numpy as np

        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            file.create_dataset("header", data=np.frombuffer(header.to_bytes(), dtype=np.uint8))
            for name, array in sorted(content.items()):
                file.create_dataset(name, data=array)
        write_bytes(path, buffer.getvalue())

    def read_header(self, path: Path) -> bytes:
        with reading(path), _open_h5(path) as file:
            if "header" not in file:
                raise ArtifactError(f"{path}: not a file of nascli (it has no header)")
            return _dataset(file, "header", path).tobytes()

    def read_content(self, path: Path, header: Header) -> dict[str, Array]:
        with reading(path), _open_h5(path) as file:
            return {entry.name: _dataset(file, entry.name, path) for entry in header.manifest}


@contextmanager
def _open_h5(path: Path) -> Iterator[Any]:
    """Open an HDF5 file after walking its links: nothing outside the file is followed, nothing huge is read."""
    import h5py

    if not path.is_file():
        raise ArtifactError(f"{path}: no such file")
    with h5py.File(path, "r") as file:
        _refuse_links(file, path)
        yield file


def _refuse_links(group: Any, path: Path) -> None:
    import h5py

    for name in group:
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise ArtifactError(f"{path}: '{name}' is a link ({type(link).__name__}); links are refused")
        item = group[name]
        if isinstance(item, h5py.Group):
            _refuse_links(item, path)


def _dataset(file: Any, name: str, path: Path) -> Array:
    import h5py

    item = file.get(name)
    if not isinstance(item, h5py.Dataset):
        raise ArtifactError(f"{path}: the data set '{name}' is missing")
    if item.is_virtual or item.external or item.dtype.kind not in "iufb":
        raise ArtifactError(f"{path}: the data set '{name}' is virtual, external or no plain numbers; refused")
    if item.nbytes > (MAX_HEADER_BYTES if name == "header" else MAX_CONTENT_BYTES):
        raise ArtifactError(f"{path}: the data set '{name}' declares {item.nbytes} bytes; refused")
    array: Array = item[()]
    return array
