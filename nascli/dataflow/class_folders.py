"""Finding the parts and classes of a data set in a tree of folders."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from nascli.dataflow.files import Tree
from nascli.dataflow.sources import Part
from nascli.errors import ConfigError

FOLDERS: Mapping[Part, tuple[str, ...]] = {
    "train": ("train",),
    "valid": ("val", "valid", "validation"),
    "test": ("test",),
}
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".pgm", ".ppm", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class ClassFolders:
    """One part of a data set: the folder `root` of `tree`, and the pictures of each class folder in it, sorted."""

    tree: Tree
    root: str
    names: Mapping[str, tuple[str, ...]]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the class folders."""
        return tuple(self.names)

    @property
    def where(self) -> str:
        """The folder, for messages."""
        return self.tree.where(self.root)

    @cached_property
    def identity(self) -> str:
        """sha256 over names below `root` and their sizes (in an archive, checksums too)."""
        digest = hashlib.sha256()
        for of_class in self.names.values():
            for name in of_class:
                size, checksum = self.tree.files[name]
                below = name.removeprefix(self.root).lstrip("/")
                digest.update(f"{below}\0{size} {checksum}\n".encode())
        return digest.hexdigest()


def find_root(tree: Tree, part: Part) -> str | None:
    """The folder that holds the class folders of a part, at the top or inside the only folder at the top."""
    tops = tree.folders_in("")
    inside = tree.folders_in(tops[0]) if len(tops) == 1 else ()
    for name in FOLDERS[part]:
        if name in tops:
            return name
        if name in inside and any(known in inside for known in FOLDERS["train"] + FOLDERS["test"]):
            return f"{tops[0]}/{name}"
    return None


def class_folders(tree: Tree, root: str) -> ClassFolders:
    """The class folders in `root`, with the pictures anywhere below them.

    Raises:
        ConfigError: no class folder, one alone, or one without pictures.
    """
    found: dict[str, list[str]] = {name: [] for name in tree.folders_in(root)}
    prefix = f"{root}/" if root else ""
    for name in tree.files:
        if name.startswith(prefix) and name.lower().endswith(SUFFIXES):
            top, slash, _ = name.removeprefix(prefix).partition("/")
            if slash:
                found[top].append(name)
    folders = ClassFolders(tree, root, {name: tuple(found[name]) for name in sorted(found)})
    _check(folders)
    return folders


def _check(folders: ClassFolders) -> None:
    if len(folders.classes) < 2:
        what = f"one class folder, '{folders.classes[0]}'" if folders.classes else "no class folders"
        raise ConfigError(f"{folders.where} has {what}", why="there must be a folder for each of at least two classes")
    for name, pictures in folders.names.items():
        if not pictures:
            why = f"pictures are files that end in {', '.join(SUFFIXES)}"
            raise ConfigError(f"the class folder {folders.where}/{name} has no pictures", why=why)


def check_same_classes(folders: ClassFolders, train: ClassFolders) -> None:
    """Refuse a part whose classes are not those of training.

    Raises:
        ConfigError: naming the classes that one of them has alone.
    """
    lacks = sorted(set(train.classes) - set(folders.classes))
    extra = sorted(set(folders.classes) - set(train.classes))
    parts = [f"{text} {', '.join(names[:5])}" for text, names in (("lacks", lacks), ("adds", extra)) if names]
    if parts:
        raise ConfigError(f"{folders.where} has other classes than {train.where}", why=f"it {' and '.join(parts)}")
