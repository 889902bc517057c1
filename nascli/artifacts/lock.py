"""One writer for one output: a lock that the system frees when its holder dies."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from nascli.errors import ArtifactError, RunFailed

NAME = "lock"


@contextlib.contextmanager
def exclusive(folder: Path, what: Path) -> Iterator[None]:
    """Hold the lock file of a run folder; an empty folder is removed again.

    Raises:
        ArtifactError: another process holds it.
        RunFailed: the folder cannot be made.
    """
    import fcntl

    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = (folder / NAME).open("a+")
    except OSError as error:
        raise RunFailed(f"cannot write {folder}", why=error.strerror or str(error)) from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not (folder / NAME).exists() or (folder / NAME).stat().st_ino != os.fstat(stream.fileno()).st_ino:
                raise BlockingIOError  # the holder before us removed the file that we locked
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().strip() or "another process"
            hint = "wait for it, or choose another -o"
            raise ArtifactError(f"{what} is in use by process {holder}", hint=hint) from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        try:
            yield
        finally:
            (folder / NAME).unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                folder.rmdir()
