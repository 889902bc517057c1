from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch

from nascli.dataflow.base import Augment
from nascli.dataflow.loaders import LazyImages, as_batches
from nascli.dataflow.normalisation import Normalisation
from nascli.dataflow.sampling import Pixels
from nascli.dataflow.sources import ArraySource
from nascli.errors import RunFailed

from .helpers import Arrays, arrays, random_part, same

AUGMENTS = {
    "plain": Augment(crop_padding=0, flip=False),
    "crop and flip": Augment(crop_padding=2),
    "randaugment": Augment(crop_padding=2, randaugment=True),
}


class Broken(ArraySource):
    """The image with index 5 cannot be read."""

    def read(self, index: int, view_seed: int | None = None) -> Pixels:
        if index == 5:
            raise RunFailed("image 5 is broken", why="it was dropped", hint="glue it")
        return super().read(index)


@pytest.mark.parametrize("augment", AUGMENTS.values(), ids=AUGMENTS)
def test_lazy_batches_equal_those_from_memory(augment: Augment) -> None:
    lazy, kept = (_flow(augment=augment, in_memory_mb=mb) for mb in (0, 2048))
    assert same(*(flow.batches("train", device="cpu", train=True, epoch=1) for flow in (lazy, kept)))


def test_lazy_evaluation_equals_that_from_memory() -> None:
    lazy, kept = (_flow(in_memory_mb=mb) for mb in (0, 2048))
    assert same(*(flow.batches("valid", device="cpu", train=False) for flow in (lazy, kept)))


def test_lazy_batches_do_not_depend_on_workers() -> None:
    none, two = (_flow(augment=AUGMENTS["randaugment"], in_memory_mb=0, workers=n) for n in (0, 2))
    assert same(*(flow.batches("train", device="cpu", train=True) for flow in (none, two)))


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_image_gives_its_own_error(workers: int) -> None:
    part = random_part(20, 0)
    broken = Broken("broken", part.image_shape, 20, lambda: (part.load(), part.labels))
    flow = arrays(broken, in_memory_mb=0, workers=workers, normalise="imagenet")
    with pytest.raises(RunFailed) as caught:
        list(flow.batches(("train", "valid"), device="cpu", train=False))
    assert str(caught.value) == "image 5 is broken\nit was dropped\nglue it"


def test_a_lazy_reader_can_be_sent_to_a_spawned_process() -> None:
    images = LazyImages([(0, _Fixed())], None, 0)
    copy = pickle.loads(pickle.dumps(images))
    plan = [np.arange(3)]
    one, other = (next(each.batches(plan, torch.device("cpu")))[0] for each in (images, copy))
    assert torch.equal(one, other)


def test_normalisation_is_that_of_torchvision() -> None:
    part = random_part(4, 0)
    norm = Normalisation((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    batch = next(as_batches(LazyImages([(0, part)], None, 0), [np.arange(4)], norm, "cpu", channels_last=False))
    mean, std = (torch.tensor(values)[:, None, None] for values in norm)
    assert torch.allclose(batch.images, (torch.from_numpy(part.load()) / 255 - mean) / std, atol=1e-5)


def test_images_that_fit_are_loaded_once() -> None:
    part, calls = random_part(30, 0), []

    class Counting(ArraySource):
        def load(self) -> Pixels:
            calls.append("load")
            return super().load()

    flow = arrays(Counting("counting", part.image_shape, 30, lambda: (part.load(), part.labels)))
    for split in ("train", "valid", "arch"):
        list(flow.batches(split, device="cpu", train=True))
    assert calls == ["load"]


class _Fixed(ArraySource):
    def __init__(self) -> None:
        super().__init__("fixed", (1, 2, 2), 3, _three)


def _three() -> tuple[Pixels, np.ndarray]:
    return np.arange(12, dtype=np.uint8).reshape(3, 1, 2, 2), np.arange(3)


def _flow(**options: Any) -> Arrays:
    return arrays(random_part(40, 0), **{"batch_size": 8, "normalise": "train", **options})
