"""Small data sets for the tests of this folder."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image

from nascli.dataflow.base import Augment, Batch, Dataflow
from nascli.dataflow.sources import ArraySource, Part, Source

PLAIN = Augment(crop_padding=0, flip=False)


class Arrays(Dataflow):
    """A data set over the arrays in `parts`."""

    name: ClassVar[str] = "arrays"
    parts: dict[str, Source]

    def classes(self) -> tuple[str, ...]:
        return ("a", "b", "c")

    def source(self, part: Part) -> Source | None:
        return self.parts.get(part)


def random_part(n: int, seed: int, shape: tuple[int, int, int] = (3, 6, 5)) -> ArraySource:
    """Random pixels; labels 0, 1, 2 in turn."""
    images = np.random.default_rng(seed).integers(0, 256, size=(n, *shape), dtype=np.uint8)
    return ArraySource.of(images, np.arange(n) % 3)


def numbered_part(n: int, first: int = 0) -> ArraySource:
    """Image i is 1x2x2 and has the value first + i everywhere, so that its pixels say which it is."""
    values = np.arange(first, first + n, dtype=np.uint8)
    return ArraySource.of(np.tile(values[:, None, None, None], (1, 1, 2, 2)), np.arange(n) % 3)


def arrays(train: Source, test: Source | None = None, valid: Source | None = None, **options: Any) -> Arrays:
    """A data set of these parts."""
    flow = Arrays(Arrays.Config(**options))
    parts = {"train": train, "test": test or random_part(6, 99, train.image_shape), "valid": valid}
    flow.parts = {part: source for part, source in parts.items() if source is not None}
    return flow


def numbered(n: int = 30, **options: Any) -> Arrays:
    """Numbered images without augmentation; the test images go on counting."""
    return arrays(numbered_part(n), numbered_part(6, n), **{"augment": PLAIN, **options})


def seen(flow: Dataflow, batches: Iterable[Batch]) -> list[list[int]]:
    """The numbers of the images in each batch of a numbered data set."""
    mean, std = flow.normalisation.mean[0], flow.normalisation.std[0]
    return [((b.images[:, 0, 0, 0].double() * std + mean) * 255).round().int().tolist() for b in batches]


def flat(flow: Dataflow, batches: Iterable[Batch]) -> list[int]:
    """The numbers of the images in all batches of a numbered data set."""
    return list(chain.from_iterable(seen(flow, batches)))


def same(one: Iterable[Batch], other: Iterable[Batch]) -> bool:
    """Whether two passes give the same bits."""
    pairs = list(zip(one, other, strict=True))
    return bool(pairs) and all(torch.equal(a.images, b.images) and torch.equal(a.labels, b.labels) for a, b in pairs)


def write_pictures(
    root: Path, counts: dict[str, int], *, size: tuple[int, int] = (6, 5), mode: str = "RGB", suffix: str = "png"
) -> Path:
    """Random pictures `root`/<class>/<k>.<suffix>; size is (width, height)."""
    rng = np.random.default_rng(len(str(root.name)))
    for name, count in counts.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for k in range(count):
            shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], len(mode))
            pixels = rng.integers(0, 256, size=shape, dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{k}.{suffix}")
    return root


def write_data_set(path: Path, **options: Any) -> Path:
    """`path`/train and `path`/test with classes cat (6, 2) and dog (4, 2)."""
    write_pictures(path / "train", {"cat": 6, "dog": 4}, **options)
    write_pictures(path / "test", {"cat": 2, "dog": 2}, **options)
    return path


def zipped(folder: Path, path: Path, top: str = "") -> Path:
    """The content of `folder` in a zip archive, below `top`."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, top + file.relative_to(folder).as_posix())
    return path
