"""Pictures of people in folders, one folder for each identity, or in zip archives of such folders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import ClassVar

import numpy as np

from nascli.config import file_option
from nascli.dataflow.class_folders import ClassFolders
from nascli.dataflow.identities import Identities, Pairs
from nascli.dataflow.image_folder import ImageFolder, PictureAugment
from nascli.dataflow.sources import Part, Source
from nascli.errors import ConfigError


class Faces(Identities, ImageFolder):
    """`train/<identity>/…`, `test/<identity>/…` and, if there, `val/<identity>/…`, in a folder or a .zip file.

    No identity may lie in two of them. Without `val`, a share of the training identities validates. The pairs that
    evaluation compares may come from a file in the form of LFW (Huang et al., 2007): lines `name 1 2` or
    `name 1 other 3`, where picture n of a name is `…_000n.…` or else the n-th by name.
    """

    name: ClassVar[str] = "faces"

    class Config(Identities.Config, ImageFolder.Config):
        """Options of `faces`; relative paths start at the working folder."""

        pairs: Path | None = file_option(None, description="file of the test pairs; null: drawn by seed")
        augment: PictureAugment = PictureAugment()

    config: Config

    def classes(self) -> tuple[str, ...]:
        """Names of the identities that are trained on or validate."""
        return self._known

    def source(self, part: Part) -> Source | None:
        """The pictures of a part, listed but not read.

        Raises:
            ConfigError: as `image_folder`, or an identity in two parts.
        """
        if part == "test":
            _apart(self._tested.where, self._tested.names, self._known)
            return self._pictures(self._tested, self._tested.classes, self._tested.classes)
        held = self._held_names
        if part == "valid":
            return self._pictures(self._valid or self._train, held, self._known) if held else None
        held_out = set(held)
        trained = [name for name in self._train.classes if name not in held_out]
        return self._pictures(self._train, trained, self._known)

    @cached_property
    def _valid(self) -> ClassFolders | None:
        return self._folders("valid")

    @cached_property
    def _tested(self) -> ClassFolders:
        folders = self._folders("test")
        assert folders is not None
        return folders

    @cached_property
    def _known(self) -> tuple[str, ...]:
        """Identities of the training part and, if there is one, of the validation part."""
        if self._valid is None:
            return self._train.classes
        _apart(self._valid.where, self._valid.names, self._train.classes)
        return (*self._train.classes, *self._valid.classes)

    @cached_property
    def _held_names(self) -> Sequence[str]:
        names = self._train.classes
        return self._valid.classes if self._valid else [names[i] for i in self.held_out(len(names))]

    def _pictures(self, folders: ClassFolders, chosen: Sequence[str], identities: Sequence[str]) -> Source:
        """The pictures of some of the folders; a label is the place of a name among the identities."""
        wanted = ClassFolders(folders.tree, folders.root, {name: folders.names[name] for name in chosen})
        places = {name: place for place, name in enumerate(identities)}
        counts = [len(folders.names[name]) for name in chosen]
        return self.pictures(wanted, np.repeat([places[name] for name in chosen], counts))

    def pairs(self) -> Pairs | None:
        """The pairs of the file.

        Raises:
            ConfigError: the file cannot be read, or names what is not in the test part.
        """
        if self.config.pairs is None:
            return None
        try:
            lines = self.config.pairs.expanduser().read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"dataflow.pairs: cannot read {self.config.pairs}", why=str(error)) from None
        rows = [self._pair(line, i) for i, line in enumerate(lines, start=1) if line.strip()]
        found = np.array([row for row in rows if row is not None], dtype=np.int64).reshape(-1, 3)
        if len(np.unique(found[:, 2])) < 2:
            why = "lines are 'name 1 2' or 'name 1 other 3'"
            raise ConfigError(f"{self.config.pairs} has no pairs of one identity, or none of two", why=why)
        return found

    def _pair(self, line: str, number: int) -> tuple[int, int, int] | None:
        words = line.split()
        if number == 1 and all(word.isdigit() for word in words):
            return None  # folds and pairs a fold
        if len(words) == 3:
            words = [words[0], words[1], words[0], words[2]]
        if len(words) != 4 or not (words[1].isdigit() and words[3].isdigit()):
            raise ConfigError(f"{self.config.pairs}:{number}: '{line.strip()[:80]}' is no pair")
        first, second = (self._position(words[k], int(words[k + 1]), number) for k in (0, 2))
        return first, second, int(words[0] == words[2])

    def _position(self, name: str, picture: int, number: int) -> int:
        tested = self._tested
        pictures = tested.names.get(name, ())
        called = [i for i, path in enumerate(pictures) if re.search(rf"_0*{picture}\.\w+$", path)]
        index = called[0] if len(called) == 1 else picture - 1
        if not 0 <= index < len(pictures):
            raise ConfigError(
                f"{self.config.pairs}:{number}: there is no picture {picture} of '{name}' in {tested.where}"
            )
        return self._firsts[name] + index

    @cached_property
    def _firsts(self) -> dict[str, int]:
        """Test identity → the position of its first picture."""
        counts = [len(pictures) for pictures in self._tested.names.values()]
        return dict(zip(self._tested.names, accumulate([0, *counts]), strict=False))


def _apart(where: str, names: Iterable[str], known: Iterable[str]) -> None:
    both = sorted(set(names) & set(known))
    if both:
        rest = f" and {len(both) - 1} more" if len(both) > 1 else ""
        why = "who tests must not have been seen in training"
        raise ConfigError(f"{where} has an identity that is trained on: {both[0]}{rest}", why=why)
