"""The files under a folder or in a zip archive, listed and read alike."""

from __future__ import annotations

import os
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from nascli.config import closest
from nascli.errors import ConfigError, RunFailed


class Stamp(NamedTuple):
    """What tells a file's content from another's: its size in bytes and, in an archive, its checksum."""

    size: int
    checksum: str = ""


class Tree(ABC):
    """The folders and files below `path`, without hidden ones; names have forward slashes.

    Args:
        path: a folder or an archive.
        files: by name.
        folders: names, the empty ones too.
    """

    def __init__(self, path: Path, files: Mapping[str, Stamp], folders: set[str]) -> None:
        self.path = path
        self.files = {name: files[name] for name in sorted(files) if not _hidden(name)}
        self.folders = sorted(name for name in folders if name and not _hidden(name))

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The content of a file; safe to call from several threads and processes.

        Raises:
            RunFailed: it cannot be read.
        """

    def folders_in(self, folder: str) -> tuple[str, ...]:
        """The names of the folders directly in `folder` ("" is the root), sorted."""
        prefix = f"{folder}/" if folder else ""
        below = (name.removeprefix(prefix) for name in self.folders if name.startswith(prefix))
        return tuple(name for name in below if "/" not in name)

    def where(self, name: str) -> str:
        """A file or folder as messages name it."""
        return f"{self.path}/{name}" if name else str(self.path)


class FolderTree(Tree):
    """A folder; links are followed, but into no folder that they lie in.

    Raises:
        RunFailed: a folder below cannot be read.
    """

    def __init__(self, path: Path) -> None:
        files: dict[str, Stamp] = {}
        folders: set[str] = set()
        for here, below, names in os.walk(path, onerror=_refuse, followlinks=True):
            below[:] = [name for name in below if not _leads_back(path, Path(here), name)]
            relative = "" if Path(here) == path else Path(here).relative_to(path).as_posix()
            folders.add(relative)
            for name in names:
                full = f"{relative}/{name}" if relative else name
                files[full] = _stamp(Path(here) / name)
        super().__init__(path, files, folders)

    def read(self, name: str) -> bytes:
        """See `Tree`."""
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise RunFailed(f"cannot read {self.where(name)}", why=error.strerror or str(error)) from None


class ZipTree(Tree):
    """A zip archive, read in place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: tuple[int, zipfile.ZipFile] | None = None
        files: dict[str, Stamp] = {}
        folders: set[str] = set()
        for info in self._archive().infolist():
            folders.update(_parents(info.filename))
            if not info.filename.endswith("/"):
                files[info.filename] = Stamp(info.file_size, f"{info.CRC:08x}")
        super().__init__(path, files, folders)

    def read(self, name: str) -> bytes:
        """See `Tree`."""
        archive = self._archive()
        try:
            return archive.read(name)
        except Exception as error:  # zipfile raises whatever foreign bytes lead it to
            raise RunFailed(f"cannot read {self.where(name)}", why=str(error)) from None

    def _archive(self) -> zipfile.ZipFile:
        # A forked worker shares the file position of its parent's handle: every process opens its own.
        if self._opened is None or self._opened[0] != os.getpid():
            try:
                self._opened = os.getpid(), zipfile.ZipFile(self.path)
            except Exception as error:
                raise RunFailed(f"{self.path} is no readable zip archive", why=str(error)) from None
        return self._opened[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_opened": None}


def open_tree(path: Path, option: str) -> Tree:
    """List a folder or a zip archive.

    Args:
        path: relative ones start at the working folder.
        option: the key that named it, for the message.

    Raises:
        ConfigError: there is nothing at `path`, or neither a folder nor a zip archive.
        RunFailed: the archive is damaged, or a folder cannot be read.
    """
    path = path.expanduser()
    if path.is_dir():
        return FolderTree(path)
    if path.suffix.lower() == ".zip" and path.is_file():
        return ZipTree(path)
    if path.exists():
        raise ConfigError(f"{option}: {path} is neither a folder nor a .zip file")
    there = sorted(other.name for other in path.parent.glob("*") if other.is_dir() or other.suffix.lower() == ".zip")
    what = f"{option}: there is no {path}" + closest(path.name, there)
    raise ConfigError(
        what, why=f"relative paths start at {Path.cwd()}", hint=f"name a folder or a zip: --set {option}=PATH"
    )


def _refuse(error: OSError) -> None:
    raise RunFailed(f"cannot read {error.filename}", why=error.strerror or str(error)) from None


def _leads_back(root: Path, here: Path, name: str) -> bool:
    """Whether a link leads to one of the folders that the walk came through."""
    link, through = here / name, (folder for folder in (here, *here.parents) if folder.is_relative_to(root))
    return link.is_symlink() and any(link.samefile(folder) for folder in through)


def _hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _parents(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[: k + 1]) for k in range(len(parts))]


def _stamp(path: Path) -> Stamp:
    # A dangling link is listed here and refused by name when it is read.
    return Stamp(path.stat().st_size if path.exists() else 0)
