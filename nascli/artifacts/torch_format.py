"""`.pt`: torch's own zip with one record more, `archive/nascli.json`; read with weights_only after its hashes fit."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from nascli.artifacts.files import atomic_write, canonical_json, sha256, sha256_stream
from nascli.artifacts.formats import MAX_HEADER_BYTES, reading
from nascli.artifacts.header import Entry, Header
from nascli.errors import ArtifactError

RECORD = "archive/nascli.json"


def plain(value: Any) -> Any:
    """A state as nested dicts and lists of plain numbers, strings and own CPU tensors, which loads without pickle.

    Raises:
        TypeError: something else is in it.
    """
    import numpy as np
    import torch

    if isinstance(value, torch.Tensor):
        return value.detach().cpu().clone(memory_format=torch.contiguous_format)
    if isinstance(value, Mapping):
        return {key if type(key) is int else str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    for kind, exact in ((str, str.__str__), (int, int), (float, float)):
        if isinstance(value, kind):
            return exact(value)
    raise TypeError(f"a state may hold tensors, numbers, strings, lists and dicts, not {type(value).__name__}")


def _leaves(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """(dotted name, tensor) of every tensor in a plain state."""
    import torch

    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _leaves(item, f"{name}.{i}")


def _skeleton(value: Any) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        return "tensor"
    if isinstance(value, dict):
        return {str(key): _skeleton(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_skeleton(item) for item in value]
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value


class TorchFormat:
    """`.pt`: torch's own zip with one record more, `archive/nascli.json`, the header; the content is a nested state.

    See `plain` for what a state may hold.
    """

    def manifest(self, content: Any) -> tuple[Entry, ...]:
        import torch

        raw = canonical_json(_skeleton(content))
        tree = Entry(name="", dtype="json", shape=(len(raw),), sha256=sha256(raw))
        tensors = [
            Entry(
                name=name,
                dtype=str(tensor.dtype).removeprefix("torch."),
                shape=tuple(tensor.shape),
                sha256=sha256(tensor.reshape(-1).view(torch.uint8).numpy()),
            )
            for name, tensor in _leaves(content, "")
        ]
        return (tree, *sorted(tensors, key=lambda entry: entry.name))

    def write(self, path: Path, header: Header, content: Any) -> None:
        import torch

        def save(stream: IO[bytes]) -> None:
            try:
                torch.save(content, stream)
            except RuntimeError as error:  # torch says no more than that its position is not the expected one
                raise (error.__context__ if isinstance(error.__context__, OSError) else error) from None
            with zipfile.ZipFile(stream, "r") as archive:
                storage = _hashes(archive)
            with zipfile.ZipFile(stream, "a") as archive:
                archive.writestr(RECORD, header.model_copy(update={"storage": storage}).to_bytes())

        atomic_write(path, save)

    def read_header(self, path: Path) -> bytes:
        with reading(path), zipfile.ZipFile(path) as archive:
            if RECORD not in archive.namelist():
                raise ArtifactError(f"{path}: not a file of nascli (it has no header)")
            if archive.getinfo(RECORD).file_size > MAX_HEADER_BYTES:
                raise ArtifactError(f"{path}: its header is too large")
            return archive.read(RECORD)

    def check_storage(self, path: Path, header: Header) -> None:
        """Raises ArtifactError unless the records of the zip have the hashes in the header."""
        with reading(path), zipfile.ZipFile(path) as archive:
            if _hashes(archive) != header.storage:
                raise ArtifactError(f"{path}: its contents were changed after it was written (digest)")

    def read_content(self, path: Path, header: Header) -> Any:
        self.check_storage(path, header)
        import torch

        with reading(path):
            return torch.load(path, map_location="cpu", weights_only=True)


def _hashes(archive: zipfile.ZipFile) -> dict[str, str]:
    result = {}
    for name in archive.namelist():
        if name != RECORD:
            with archive.open(name) as stream:
                result[name] = sha256_stream(stream)
    return result
