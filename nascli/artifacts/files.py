"""Writing a file whole or not at all, and hashing what is in it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from nascli.errors import RunFailed, UsageError


def canonical_json(value: Any) -> bytes:
    """The one spelling of a JSON value: sorted keys, no white space, UTF-8; NaN is refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256(data: Any) -> str:
    """Hex digest of bytes or of anything with a buffer."""
    return hashlib.sha256(data).hexdigest()


def sha256_stream(stream: IO[bytes]) -> str:
    """Hex digest of a stream, read in pieces."""
    digest = hashlib.sha256()
    while piece := stream.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()


def atomic_write(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Replace `path` by what `write` puts into a stream: readers see the old file or the new one, never a part.

    Raises:
        RunFailed: the folder cannot be written or the disk is full; the old file is kept.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        with temporary.open("w+b") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        if path.exists():
            temporary.chmod(path.stat().st_mode & 0o777)
        temporary.replace(path)
        with _folder(path.parent) as descriptor:
            os.fsync(descriptor)
    except OSError as error:
        raise RunFailed(f"cannot write {path}", why=error.strerror or str(error)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def taken(path: Path) -> UsageError:
    """The refusal of a command whose result is there already."""
    return UsageError(f"{path} exists", hint="replace it with --force, or choose another -o")


def write_bytes(path: Path, data: bytes) -> None:
    """Replace `path` by these bytes, as `atomic_write` does."""

    def write(stream: IO[bytes]) -> None:
        stream.write(data)

    atomic_write(path, write)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """An empty folder that takes the place of `path` when the block ends; nothing of it is left if the block fails.

    What stood there before is put aside for the moment between two renames, then removed.

    Raises:
        RunFailed: the folder above cannot be written or the disk is full; what was there is kept.
    """
    place = path.resolve()
    temporary, before = (place.with_name(f".{place.name}.{os.getpid()}{end}") for end in (".tmp", ".old.tmp"))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(place)
        temporary.mkdir()
        yield temporary
        _swap(temporary, place, before)
    except OSError as error:
        raise RunFailed(f"cannot write {path}", why=error.strerror or str(error)) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _swap(new: Path, place: Path, before: Path) -> None:
    if place.exists():
        place.replace(before)
    try:
        new.replace(place)
    except BaseException:
        if before.exists():
            before.replace(place)
        raise
    with _folder(place.parent) as descriptor:
        os.fsync(descriptor)
    shutil.rmtree(before, ignore_errors=True)


def _remove_leftovers(path: Path) -> None:
    """Remove what writers that were killed left behind; a living writer's is kept."""
    for leftover in path.parent.glob(f".{_escaped(path.name)}.*.tmp"):
        pid = leftover.name.removesuffix(".tmp").removesuffix(".old").rpartition(".")[2]
        if pid.isdecimal() and not _alive(int(pid)):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink(missing_ok=True)


def _escaped(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


@contextlib.contextmanager
def _folder(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
