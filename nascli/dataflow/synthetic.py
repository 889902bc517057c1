"""Generated images: a pattern for each class, and noise. For tests, examples and benchmarks of any size."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveInt

from nascli.dataflow.base import Augment, Dataflow
from nascli.dataflow.sampling import Indices, Pixels, stream
from nascli.dataflow.sources import Part, Source

CELLS = 4


class SyntheticAugment(Augment):
    """The patterns know left from right."""

    crop_padding: NonNegativeInt = 1
    flip: bool = False


class Synthetic(Dataflow):
    """Images made of their class's coarse pattern and of noise; the classes are equally large."""

    name: ClassVar[str] = "synthetic"

    class Config(Dataflow.Config):
        """Options of `synthetic`."""

        classes: int = Field(10, ge=2, le=10_000, description="number of classes")
        image_shape: tuple[PositiveInt, PositiveInt, PositiveInt] = Field(
            (3, 32, 32), description="channels, height, width"
        )
        train_images: int = Field(2000, ge=1, description="images of the training part")
        test_images: int = Field(500, ge=1, description="images of the test part")
        noise: float = Field(0.5, ge=0, le=1, description="the largest change of a pixel, as a share of the range")
        seed: int = Field(0, ge=0, description="of the images, not of the run")
        augment: SyntheticAugment = SyntheticAugment()

    config: Config

    def classes(self) -> tuple[str, ...]:
        """ "class_0", "class_1", …"""
        return tuple(f"class_{index}" for index in range(self.config.classes))

    def source(self, part: Part) -> Source | None:
        """The images of a part, made when asked for; there is no validation part."""
        return None if part == "valid" else SyntheticImages(self.config, part)


class SyntheticImages(Source):
    """Image i is of class i mod classes; integer arithmetic, so the pixels are the same on every machine."""

    def __init__(self, config: Synthetic.Config, part: Part) -> None:
        size = config.train_images if part == "train" else config.test_images
        identity = f"{part} {size} {config.classes} {config.image_shape} {config.noise!r} {config.seed}"
        super().__init__(identity, config.image_shape, size)
        self._config, self._part = config, part

    @cached_property
    def labels(self) -> Indices:
        """int64 (N,)."""
        return np.arange(len(self), dtype=np.int64) % self._config.classes

    @cached_property
    def _patterns(self) -> Pixels:
        """Uint8 (classes, C, CELLS, CELLS)."""
        shape = (self._config.classes, self.image_shape[0], CELLS, CELLS)
        return stream(self._config.seed, "patterns").integers(0, 256, size=shape, dtype=np.uint8)

    def read(self, index: int, view_seed: int | None = None) -> Pixels:
        """One image, uint8 (C, H, W)."""
        _, height, width = self.image_shape
        rows, columns = np.arange(height) * CELLS // height, np.arange(width) * CELLS // width
        pattern = self._patterns[index % self._config.classes][:, rows[:, None], columns]
        largest = round(255 * self._config.noise)
        noise = stream(self._config.seed, f"noise {self._part}", index)
        pixels = pattern + noise.integers(-largest, largest + 1, size=self.image_shape)
        clipped: Pixels = pixels.clip(0, 255).astype(np.uint8)
        return clipped
