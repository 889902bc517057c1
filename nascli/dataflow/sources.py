"""What a data set hands to the dataflow: one `Source` for each of its parts."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from math import prod
from typing import Literal, TypeAlias

import numpy as np

from nascli.dataflow.sampling import Labels, Pixels
from nascli.errors import RunFailed

Part: TypeAlias = Literal["train", "valid", "test"]
PARTS: tuple[Part, ...] = ("train", "valid", "test")
UNLABELLED = -100
"""The label of a pixel that counts for nothing: what torch's cross-entropy leaves out."""


class Source(ABC):
    """The labelled images of one part of a data set. Making one is cheap and reads no pixels.

    Args:
        identity: text that changes whenever the images or labels do; it enters the fingerprint of the data.
        image_shape: (channels, height, width) of every image.
        size: number of images.
        random_views: whether `read` draws the view that training sees; such images are decoded anew each epoch.
    """

    def __init__(
        self, identity: str, image_shape: tuple[int, int, int], size: int, *, random_views: bool = False
    ) -> None:
        self.identity, self.image_shape, self.random_views = identity, image_shape, random_views
        self._size = size

    def __len__(self) -> int:
        return self._size

    @property
    def nbytes(self) -> int:
        """Bytes of all images, decoded."""
        return len(self) * prod(self.image_shape)

    @property
    @abstractmethod
    def labels(self) -> Labels:
        """What is to be found in each image. Called often: keep the array.

        int64 (N,): one class, from 0 to classes - 1. float32 (N, …): numbers, such as (N, classes) for several
        classes at once. int64 (N, H, W): a class for each pixel, or `UNLABELLED`; such maps, and float32
        (N, …, H, W), are cropped and mirrored with their images.
        """

    @property
    def has_maps(self) -> bool:
        """Whether the labels have a height and a width: those of the images."""
        return self.labels.ndim > 2 and self.labels.shape[-2:] == self.image_shape[1:]

    @abstractmethod
    def read(self, index: int, view_seed: int | None = None) -> Pixels:
        """One image, uint8 (C, H, W), range 0 to 255; called in worker processes too.

        Args:
            index: from 0 to N - 1.
            view_seed: None for evaluation; in training, what a random view may be drawn from.

        Raises:
            RunFailed: the image cannot be read.
        """

    def load(self) -> Pixels:
        """All images as evaluation sees them, uint8 (N, C, H, W); called once, where they fit into memory."""
        images = np.empty((len(self), *self.image_shape), np.uint8)
        for index in range(len(self)):
            images[index] = self.read(index)
        return images


class ArraySource(Source):
    """Images that come as one array, made by `load` at the first use of an image or a label.

    Args:
        load: returns images uint8 (N, C, H, W) and labels, as `Source.labels` has them.
    """

    def __init__(
        self,
        identity: str,
        image_shape: tuple[int, int, int],
        size: int,
        load: Callable[[], tuple[Pixels, Labels]],
    ) -> None:
        super().__init__(identity, image_shape, size)
        self._load = load

    @classmethod
    def of(cls, images: Pixels, labels: Labels) -> ArraySource:
        """A source over arrays at hand, identified by the digest of their bytes."""
        digest = hashlib.sha256(images.tobytes())
        digest.update(labels.tobytes())
        channels, height, width = images.shape[1:]
        return cls(digest.hexdigest(), (channels, height, width), len(images), lambda: (images, labels))

    @cached_property
    def _arrays(self) -> tuple[Pixels, Labels]:
        images, labels = self._load()
        expected = (len(self), *self.image_shape)
        if images.shape != expected or images.dtype != np.uint8:
            raise RunFailed(f"the images are {images.dtype} {images.shape}, expected uint8 {expected}")
        if labels.shape[:1] != expected[:1]:
            raise RunFailed(f"there are {labels.shape} labels for {len(self)} images")
        return images, labels.astype(np.float32 if labels.dtype.kind == "f" else np.int64, copy=False)

    @property
    def labels(self) -> Labels:
        """(N, …); whole numbers are int64, others float32."""
        return self._arrays[1]

    def read(self, index: int, view_seed: int | None = None) -> Pixels:
        """One image, uint8 (C, H, W)."""
        image: Pixels = self._arrays[0][index]
        return image

    def load(self) -> Pixels:
        """The array itself."""
        return self._arrays[0]
