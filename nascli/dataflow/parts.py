"""The parts of one data set together: which sample number lies where, and what is kept in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nascli.dataflow.normalisation import Normalisation, chunks, measured
from nascli.dataflow.sampling import Indices, Labels, Pixels
from nascli.dataflow.sources import UNLABELLED, Part, Source
from nascli.dataflow.splits import first_numbers
from nascli.errors import RunFailed

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from nascli.dataflow.augment import Augmenter
    from nascli.dataflow.loaders import Images


class Parts:
    """Sources with the sample numbers of their images, and the copies that are kept.

    Args:
        sources: at least "train" and "test".
        in_memory_bytes: parts up to this size, decoded, are kept in memory and on the device.
        workers: processes that decode the others.
    """

    def __init__(self, sources: Mapping[Part, Source], in_memory_bytes: int, workers: int) -> None:
        self.sources = sources
        self.first = first_numbers(sources)
        self._in_memory_bytes, self._workers = in_memory_bytes, workers
        self._pixels: dict[Part, Pixels] = {}
        self._on_device: dict[tuple[Part, str], tuple[Tensor, Tensor]] = {}

    @property
    def trainable(self) -> int:
        """Images that training may see; their sample numbers are below this one."""
        return self.first["test"]

    def fit(self, *parts: Part) -> bool:
        """Whether each of these parts is small enough to be kept."""
        return all(self.sources[part].nbytes <= self._in_memory_bytes for part in parts)

    @property
    def has_maps(self) -> bool:
        """Whether labels are maps of the images' size."""
        return self.sources["train"].has_maps

    def containing(self, numbers: Indices) -> list[Part]:
        """The parts that these images lie in."""
        ends = {part: first + len(self.sources[part]) for part, first in self.first.items()}
        return [part for part, first in self.first.items() if ((numbers >= first) & (numbers < ends[part])).any()]

    def labels(self, numbers: Indices) -> Labels:
        """The labels of these images, (n, …); parts that none of them lies in are not asked."""
        parts = self.containing(numbers)
        known = np.concatenate([self.first[part] + np.arange(len(self.sources[part])) for part in parts])
        labels = np.concatenate([self.sources[part].labels for part in parts])
        found: Labels = labels[np.searchsorted(known, numbers)]
        return found

    def pixels(self, numbers: Indices) -> Pixels:
        """A few images as evaluation sees them, uint8 (n, C, H, W), read one by one."""
        found: Pixels = np.zeros((len(numbers), *self.sources["train"].image_shape), np.uint8)
        for part in self.containing(numbers):
            places = numbers - self.first[part]
            for row in np.flatnonzero((places >= 0) & (places < len(self.sources[part]))):
                found[row] = self.sources[part].read(int(places[row]))
        return found

    def images(self, numbers: Indices, augmenter: Augmenter | None, device: torch.device | str) -> Images:
        """Access to these images: kept on the device if their parts fit, read when needed if not."""
        from nascli.dataflow.loaders import LazyImages, MemoryImages

        parts = self.containing(numbers)
        random_views = augmenter is not None and any(self.sources[part].random_views for part in parts)
        if random_views or not self.fit(*parts):
            sources = [(self.first[part], self.sources[part]) for part in parts]
            return LazyImages(sources, augmenter, self._workers, maps=self.has_maps)
        stores = [(self.first[part], *self._kept(part, device)) for part in parts]
        return MemoryImages(stores, augmenter, maps=self.has_maps)

    def measure(self) -> Normalisation:
        """The statistics of the training part: one pass over it, as evaluation sees it."""
        source = self.sources["train"]
        if self.fit("train"):
            return measured(chunks(self._loaded("train")), source.image_shape[0])
        return measured((source.read(index)[None] for index in range(len(source))), source.image_shape[0])

    def _loaded(self, part: Part) -> Pixels:
        if part not in self._pixels:
            self._pixels[part] = self.sources[part].load()
        return self._pixels[part]

    def _kept(self, part: Part, device: torch.device | str) -> tuple[Tensor, Tensor]:
        import torch

        key = (part, str(device))
        if key not in self._on_device:
            images, labels = torch.from_numpy(self._loaded(part)), torch.from_numpy(self.sources[part].labels)
            self._on_device[key] = images.to(device), labels.to(device)
        return self._on_device[key]


def check_labels(source: Source, classes: int, images: str) -> None:
    """Refuse labels that stand for no class.

    Args:
        images: whose labels they are, for messages: "training".

    Raises:
        RunFailed: a class below 0 or above `classes` - 1, a number that is not finite, or another number of columns.
    """
    labels = source.labels
    if labels.dtype.kind == "f":
        if not np.isfinite(labels).all():
            raise RunFailed(f"a {images} image has a label that is not finite")
        if labels.ndim == 2 and labels.shape[1] != classes:
            raise RunFailed(f"the labels of {images} images have {labels.shape[1]} columns for {classes} classes")
        return
    found = np.unique(labels)
    found = found[found != UNLABELLED] if source.has_maps else found
    wrong = found[(found < 0) | (found >= classes)]
    if len(wrong):
        raise RunFailed(f"a {images} image has label {wrong[0]}, but labels go from 0 to {classes - 1}")
