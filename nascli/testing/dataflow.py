"""What every data set keeps."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from nascli.dataflow.base import Batch, Dataflow
from nascli.errors import ConfigError
from nascli.testing.randomness import no_global_randomness

SPLITS = ("train", "arch", "valid", "test")
MOST = 3  # batches of each pass


class DataflowContract:
    """Tests to inherit; `make = MyData`, or a method that returns a small one, is all they need.

    `same_classes` says that test images are of the classes that are trained on.
    """

    same_classes = True

    def make(self) -> Dataflow:
        """A new data set; called several times a test."""
        raise NotImplementedError("set `make` to the class of the data set")

    def test_it_describes_itself_alike_each_time(self) -> None:
        with no_global_randomness():
            first, again = self.make().describe(), self.make().describe()
        assert first == again, "a second one has other data"
        assert len(set(first.classes)) == len(first.classes) > 0, f"its classes are {first.classes}"

    def test_no_image_is_in_two_splits(self) -> None:
        data = self.make()
        train, arch, valid, test = (set(data.indices(split).tolist()) for split in SPLITS)
        assert arch <= train, "`arch` is a part of `train`"
        assert not train & valid, "an image is in `train` and in `valid`"
        assert not (train | valid) & test, "an image of `test` is in another split"

    def test_batches_have_the_shapes_that_it_promises(self) -> None:
        import torch

        data = self.make()
        record = data.describe()
        for split in SPLITS:
            for images, labels in batches(data, split, train=split != "test"):
                expected = (len(labels), *record.image_shape)
                assert images.shape == expected, f"{split}: images {tuple(images.shape)}, not {expected}"
                assert images.dtype == torch.float32, f"{split}: images are {images.dtype}"
                assert images.isfinite().all(), f"{split}: images are not finite"
                assert labels.dtype in (torch.int64, torch.float32), f"{split}: labels are {labels.dtype}"
                is_class = labels.dim() == 1 and labels.dtype == torch.int64
                if is_class and (split != "test" or self.same_classes):
                    inside = ((labels >= 0) & (labels < len(record.classes))).all()
                    assert inside, f"{split}: labels {labels.unique().tolist()} of {len(record.classes)} classes"

    def test_evaluation_sees_every_image_once_and_as_it_is(self) -> None:
        data = self.make()
        for split in ("valid", "test"):
            sizes = [len(batch.labels) for batch in data.batches(split, train=False, device="cpu")]
            assert sum(sizes) == len(data.indices(split)), f"{split}: {sum(sizes)} images, not {data.indices(split)}"
            first, again = (list(batches(data, split, train=False, seed=seed)) for seed in (0, 1))
            assert equal(first, again), f"{split}: a second pass sees something else"

    def test_training_is_a_function_of_seed_and_epoch(self) -> None:
        with no_global_randomness():
            first = list(batches(self.make(), "train", train=True, seed=1, epoch=2))
            again = list(batches(self.make(), "train", train=True, seed=1, epoch=2))
        assert equal(first, again), "equal seeds and epochs, other batches"
        later = list(batches(self.make(), "train", train=True, seed=1, epoch=3))
        few = len(self.make().indices("train")) < 2
        assert few or not equal(first, later), "every epoch sees the images in the same order"

    def test_an_epoch_can_be_resumed_at_any_batch(self) -> None:
        data = self.make()
        whole = list(batches(data, "train", train=True, epoch=1))
        resumed = list(batches(self.make(), "train", train=True, epoch=1, start=1))
        assert equal(whole[1:], resumed[: len(whole) - 1]), "batch 1 is another one when the epoch starts with it"

    def test_the_test_images_are_not_trained_on(self) -> None:
        try:
            next(iter(self.make().batches("test", train=True, device="cpu")))
        except ConfigError:
            return
        raise AssertionError("the test images can be trained on")


def batches(data: Dataflow, split: str, **options: Any) -> Iterator[Batch]:
    """The first few batches of a pass."""
    return islice(data.batches(split, device="cpu", **options), MOST)


def equal(first: list[Batch], second: list[Batch]) -> bool:
    """Whether two passes saw the same."""
    pairs = [(a, b) for one, other in zip(first, second, strict=False) for a, b in zip(one, other, strict=True)]
    return len(first) == len(second) and all(np.array_equal(a.numpy(), b.numpy()) for a, b in pairs)
