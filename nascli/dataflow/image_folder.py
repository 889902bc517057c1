"""Pictures in folders, one folder for each class, or in zip archives of such folders."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from nascli.dataflow.base import RUN_OPTION, Augment, Dataflow
from nascli.dataflow.class_folders import FOLDERS, ClassFolders, check_same_classes, class_folders, find_root
from nascli.dataflow.files import Tree, open_tree
from nascli.dataflow.sampling import Indices
from nascli.dataflow.sources import Part, Source
from nascli.errors import ConfigError

if TYPE_CHECKING:
    from nascli.dataflow.images import Format


class PictureAugment(Augment):
    """Augmentation of pictures."""

    random_resized_crop: bool = Field(False, description="a random part brought to `size`, instead of the padded crop")

    @property
    def padding(self) -> int:
        """The padding in use, pixels."""
        return 0 if self.random_resized_crop else self.crop_padding


class ImageFolder(Dataflow):
    """`train/<class>/…`, `test/<class>/…` and, if there, `val/<class>/…`, in a folder or a .zip file.

    Classes are sorted by name. Files without a picture's suffix are passed over; folders in class folders are
    searched. Colour, grey and transparent pictures are converted to `channels`.
    """

    name: ClassVar[str] = "image_folder"

    class Config(Dataflow.Config):
        """Options of `image_folder`; relative paths start at the working folder."""

        path: Path = Field(description="a folder or .zip file", json_schema_extra=RUN_OPTION)
        test_path: Path | None = Field(None, description="another one, for the test part", json_schema_extra=RUN_OPTION)
        size: int | None = Field(None, ge=1, description="shorter side after resizing, then a central square; pixels")
        channels: Literal[1, 3] = Field(3, description="1: grey, 3: colour; pictures are converted")
        augment: PictureAugment = PictureAugment()

        @model_validator(mode="after")
        def _sized(self) -> Self:
            if self.augment.random_resized_crop and self.size is None:
                raise ValueError("augment.random_resized_crop needs a `size`")
            return self

    config: Config

    def classes(self) -> tuple[str, ...]:
        """Names of the class folders in the training part."""
        return self._train.classes

    def source(self, part: Part) -> Source | None:
        """The pictures of a part, listed but not read (but one of training, for the size where none is given).

        Raises:
            ConfigError: no such path or part, no or one class folder, one without pictures, classes unlike training's.
        """
        folders = self._train if part == "train" else self._folders(part)
        if folders is None:
            return None
        check_same_classes(folders, self._train)
        counts = [len(of_class) for of_class in folders.names.values()]
        return self.pictures(folders, np.repeat(np.arange(len(counts)), counts))

    def pictures(self, folders: ClassFolders, labels: Indices) -> Source:
        """The pictures of some class folders, in their order, with these labels int64 (n,)."""
        from nascli.dataflow.images import PictureFiles

        names = [name for of_class in folders.names.values() for name in of_class]
        identity = f"{folders.identity} size={self.config.size} channels={self.config.channels}"
        views = self.config.augment.random_resized_crop
        return PictureFiles(identity, folders.tree, names, labels, self._format, random_views=views)

    @cached_property
    def _tree(self) -> Tree:
        return open_tree(self.config.path, "dataflow.path")

    @cached_property
    def _train(self) -> ClassFolders:
        folders = self._folders("train")
        assert folders is not None
        return folders

    def _folders(self, part: Part) -> ClassFolders | None:
        apart = self.config.test_path if part == "test" else None
        tree = self._tree if apart is None else open_tree(apart, "dataflow.test_path")
        root = find_root(tree, part)
        if root is None and part == "valid":
            return None
        # Where the test part has a path of its own, class folders may lie at the top.
        if root is None and self.config.test_path is not None:
            root = ""
        if root is None:
            raise _no_part(tree, part)
        return class_folders(tree, root)

    @cached_property
    def _format(self) -> Format:
        from nascli.dataflow.images import Format, open_picture

        example = next(iter(self._train.names.values()))[0]
        size = self.config.size
        width, height = (size, size) if size else open_picture(self._tree, example).size
        return Format((self.config.channels, height, width), size is not None, self._tree.where(example))


def _no_part(tree: Tree, part: Part) -> ConfigError:
    found = ", ".join(tree.folders_in("")[:10]) or "no folders"
    hint = f"it should hold {FOLDERS['train'][0]}/CLASS/… and {FOLDERS['test'][0]}/CLASS/…, pictures in them"
    if part == "test":
        hint += "; or name another folder or .zip for the test part: dataflow.test_path"
    return ConfigError(f"{tree.path} has no folder '{FOLDERS[part][0]}'", why=f"found: {found}", hint=hint)
