"""One writer for one output: a lock that the system frees when its holder dies."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from nascli.errors import ArtifactError, RunFailed

NAME = "lock"


@contextlib.contextmanager
def exclusive(folder: Path, what: Path) -> Iterator[None]:
    """Hold the lock file of a run folder; an empty folder is removed again.

    Raises:
        ArtifactError: another process holds it.
        RunFailed: the folder cannot be made.
    """
    with _held(folder, what) as stream:
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        try:
            yield
        finally:
            (folder / NAME).unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                folder.rmdir()


def _held(folder: Path, what: Path) -> TextIO:
    """The lock file, locked; once more where a holder that ended meanwhile removed the one that was opened."""
    import fcntl

    while True:
        stream = _opened(folder)
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with stream:
                stream.seek(0)
                holder = stream.read().strip() or "another process"
            hint = "wait for it, or choose another -o"
            raise ArtifactError(f"{what} is in use by process {holder}", hint=hint) from None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat((folder / NAME).stat(), os.fstat(stream.fileno())):
                return stream
        stream.close()


def _opened(folder: Path) -> TextIO:
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFailed(f"cannot write {folder}", why=error.strerror or str(error)) from error
        try:
            return (folder / NAME).open("a+")
        except OSError as error:
            if folder.is_dir():  # else the holder removed it
                raise RunFailed(f"cannot write {folder}", why=error.strerror or str(error)) from error
