"""The dataflow component: a data set supplies its parts, this class splits, orders, augments and normalises them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from nascli.artifacts.header import DataRecord
from nascli.component import Component
from nascli.config import Config
from nascli.dataflow.normalisation import Normalisation, imagenet
from nascli.dataflow.parts import Parts, check_labels
from nascli.dataflow.sampling import Indices, Labels, Pixels, batched, draws, epoch_order, first_of, shared, steps
from nascli.dataflow.sources import PARTS, Part, Source
from nascli.dataflow.splits import SPLITS, SplitOptions, describe, make_splits
from nascli.errors import ConfigError
from nascli.ranks import ALONE, Ranks

if TYPE_CHECKING:
    import torch
    from torch import Tensor

RUN_OPTION: dict[str, Any] = {"run_option": True}
LEARNED_FROM: dict[Part, str] = {"train": "training", "valid": "validation"}
"""Parts whose labels stand for `classes`, and what messages call their images; those of "test" may be others."""


class Batch(NamedTuple):
    """Images float32 (B, C, H, W), normalised, and labels as `Source.labels` has them, (B, …); both on the device."""

    images: Tensor
    labels: Tensor


class Augment(Config):
    """What training does to an image, in this order; evaluation does none of it. Data sets have defaults of their own.

    Mixing images (mixup, cutmix) is the training agent's.
    """

    crop_padding: int = Field(4, ge=0, description="random crop after padding with so many black pixels; 0: none")
    flip: bool = Field(True, description="horizontal flip, every other time")
    randaugment: bool = Field(False, description="RandAugment (Cubuk et al. 2020)")
    randaugment_ops: int = Field(2, ge=1, description="operations an image")
    randaugment_magnitude: int = Field(9, ge=0, le=30, description="strength of each operation")

    @property
    def padding(self) -> int:
        """The padding in use, pixels."""
        return self.crop_padding


class Dataflow(Component, ABC):
    """A data set and the batches made from it.

    A data set of your own implements `classes` and `source`, and sets `name`.
    """

    name: ClassVar[str] = "custom"

    class Config(Component.Config):
        """Options of every data set; shares are of images, in each class alike."""

        batch_size: int = Field(64, ge=1, description="images a step")
        valid_share: float = Field(0.1, ge=0, lt=1, description="of the training part, if no validation part exists")
        arch_share: float = Field(0.5, ge=0, lt=1, description="of the training split, for architecture updates")
        split_seed: int = Field(0, ge=0, description="seed of the split, not of the run")
        normalise: Literal["auto", "train", "imagenet"] = Field(
            "auto", description="train: by the statistics of the training part; auto: that if it fits into memory"
        )
        workers: int = Field(0, ge=0, description="processes that decode images", json_schema_extra=RUN_OPTION)
        in_memory_mb: int = Field(
            2048, ge=0, description="MiB up to which a part, decoded, stays on the device", json_schema_extra=RUN_OPTION
        )
        augment: Augment = Augment()

    config: Config

    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels, or of what each column of the labels says. Called often."""

    @abstractmethod
    def source(self, part: Part) -> Source | None:
        """The images of one part; called once for each. None stands for "valid" when it is carved from "train".

        Pixels are read when the source is asked for them, those of "test" in evaluation alone.
        """

    def describe(self) -> DataRecord:
        """Names, sizes, split and fingerprint; reads labels, but none of the test part, and no pixels of that part.

        Raises:
            ConfigError: a part without images.
            RunFailed: a label that stands for no class, or labels that cannot be read.
        """
        return self._description

    def indices(self, split: str | Sequence[str], *, withhold_arch: bool = False) -> Indices:
        """The sample numbers of a split or of the union of several, int64 (n,), ascending, read-only.

        Args:
            split: "train", "arch", "valid", "test".
            withhold_arch: leave the images of "arch" out of "train".

        Raises:
            ConfigError: an unknown split, or nothing in it.
        """
        names = (split,) if isinstance(split, str) else tuple(split)
        if (names, withhold_arch) not in self._unions:
            self._unions[names, withhold_arch] = self._union(names, withhold_arch)
        return self._unions[names, withhold_arch]

    def steps_per_epoch(self, split: str | Sequence[str], *, withhold_arch: bool = False) -> int:
        """Number of training batches in an epoch, at least 1."""
        return steps(len(self.indices(split, withhold_arch=withhold_arch)), self.config.batch_size, train=True)

    def batches(  # noqa: PLR0913 (each says one thing, all by keyword)
        self,
        split: str | Sequence[str],
        *,
        device: torch.device | str,
        train: bool,
        epoch: int = 0,
        seed: int = 0,
        start: int = 0,
        channels_last: bool = False,
        withhold_arch: bool = False,
        limit: int | None = None,
        ranks: Ranks = ALONE,
    ) -> Iterator[Batch]:
        """The batches of one pass over a split (or a union of splits).

        In training the order is drawn from (seed, epoch) and augmentation from (seed, epoch, image); an incomplete
        last batch is dropped unless it is the only one. In evaluation every image comes once, in a fixed order and
        as it is.

        Args:
            start: the batch to begin with; batch k is the same whatever `start` is.
            limit: use so many images, the first of a permutation drawn from `seed` (BatchNorm re-estimation).
            ranks: the processes that share the pass: each reads its part of every batch in training; whole batches in
                evaluation, the first those of number 0, n, 2n, … of n processes.

        Raises:
            ConfigError: an unknown or empty split, or training on "test".
            RunFailed: an image cannot be read.
        """
        from nascli.dataflow.augment import Augmenter
        from nascli.dataflow.loaders import as_batches

        numbers = self.indices(split, withhold_arch=withhold_arch)
        if train and numbers.max() >= self._parts.trainable:
            raise ConfigError("the test images cannot be trained on", why="they serve the final evaluation alone")
        if train:
            self._check_augmentation()
        numbers = numbers if limit is None else first_of(numbers, limit, seed)
        numbers = self.order(numbers, seed, epoch) if train else numbers
        augmenter = Augmenter(self.config.augment, draws(seed, epoch, self._parts.trainable)) if train else None
        plan = shared(batched(numbers, self.config.batch_size, train=train, start=start), ranks, train=train)
        images = self._parts.images(numbers, augmenter, device)
        return as_batches(images, plan, self.normalisation, device, channels_last=channels_last)

    def order(self, numbers: Indices, seed: int, epoch: int) -> Indices:
        """A permutation of sample numbers int64 (n,): the order in which a training epoch sees them.

        Called once an epoch; it must depend on its arguments alone. Batches are cut from it.
        """
        return epoch_order(numbers, seed, epoch)

    def pixels(self, split: str, places: Sequence[int]) -> Pixels:
        """Some images as evaluation sees them, before normalisation: uint8 (n, C, H, W).

        Args:
            places: in the order of an evaluation pass over the split, from 0.

        Raises:
            RunFailed: an image cannot be read.
        """
        return self._parts.pixels(self.indices(split)[list(places)])

    def labels_of(self, numbers: Indices) -> Labels:
        """The labels of sample numbers int64 (n,), (n, …)."""
        return self._parts.labels(numbers)

    def _check_augmentation(self) -> None:
        """Raises ConfigError where RandAugment knows no such images, or pixels would move and label maps would not."""
        channels, randaugment = self._parts.sources["train"].image_shape[0], self.config.augment.randaugment
        if randaugment and channels not in (1, 3):
            what = f"dataflow.augment.randaugment: the images of '{self.name}' have {channels} channels"
            raise ConfigError(what, why="its operations are made for grey (1) and colour (3)")
        views = any(source.random_views for source in self._parts.sources.values())
        if self._parts.has_maps and (views or randaugment):
            what = "random views" if views else "dataflow.augment.randaugment"
            why = "they would move the pixels of images and leave the labels where they are"
            raise ConfigError(f"{what}: the labels of '{self.name}' are maps", why=why)

    @cached_property
    def normalisation(self) -> Normalisation:
        """Mean and standard deviation per channel: those of the training part, or ImageNet's."""
        if self._normalise == "imagenet":
            return imagenet(self._parts.sources["train"].image_shape[0])
        return self._parts.measure()

    @property
    def _normalise(self) -> str:
        # Whether the part would fit decides, not whether it is kept: augmentation must not change the fingerprint.
        auto = "train" if self._parts.fit("train") else "imagenet"
        return auto if self.config.normalise == "auto" else self.config.normalise

    @cached_property
    def _parts(self) -> Parts:
        sources = {part: source for part in PARTS if (source := self.source(part)) is not None}
        for part in dict.fromkeys(("train", "test", *sources)):
            if part not in sources or not len(sources[part]):
                raise ConfigError(f"the data set '{self.name}' has no {part} images")
        return Parts(sources, self.config.in_memory_mb * 2**20, self.config.workers)

    @cached_property
    def _split_options(self) -> SplitOptions:
        valid_share = 0.0 if "valid" in self._parts.sources else self.config.valid_share
        return SplitOptions(self.config.split_seed, valid_share, self.config.arch_share)

    @cached_property
    def _splits(self) -> dict[str, Indices]:
        return make_splits(self._parts.sources, self._split_options)

    @cached_property
    def _description(self) -> DataRecord:
        classes, sources = self.classes(), self._parts.sources
        for part, images in LEARNED_FROM.items():
            if part in sources:
                check_labels(sources[part], len(classes), images)
        return describe(self.name, classes, sources, self._split_options, self._splits, self._normalise)

    def _union(self, names: tuple[str, ...], withhold_arch: bool) -> Indices:
        for name in names:
            if name not in SPLITS:
                raise ConfigError(f"there is no split '{name}'", why=f"known: {', '.join(SPLITS)}")
        numbers = np.unique(np.concatenate([self._numbers(name, withhold_arch) for name in names]))
        if not len(numbers):
            hint = "look at dataflow.valid_share and dataflow.arch_share"
            raise ConfigError(f"the split {'+'.join(names)} of the data set '{self.name}' has no images", hint=hint)
        numbers.flags.writeable = False
        return numbers

    @cached_property
    def _unions(self) -> dict[tuple[tuple[str, ...], bool], Indices]:
        # A training step asks for the number of steps: the unions are made once.
        return {}

    def _numbers(self, split: str, withhold_arch: bool) -> Indices:
        numbers = self._splits[split]
        return np.setdiff1d(numbers, self._splits["arch"]) if split == "train" and withhold_arch else numbers
