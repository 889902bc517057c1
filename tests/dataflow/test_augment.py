from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import pad

from nascli.dataflow.augment import Augmenter, crop_flip, seeded
from nascli.dataflow.base import Augment
from nascli.dataflow.sampling import Indices, draws


@settings(max_examples=30, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)),
    padding=st.integers(0, 4),
    seed=st.integers(0, 99),
)
def test_crop_flip_equals_doing_it_image_by_image(shape: tuple[int, ...], padding: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    offsets = torch.randint(0, 2 * padding + 1, (shape[0], 2), generator=generator)
    flip = torch.randint(0, 2, (shape[0],), generator=generator) == 1
    expected = []
    for image, (top, left), mirrored in zip(images, offsets.tolist(), flip, strict=True):
        cut = pad(image, (padding,) * 4)[:, top : top + shape[2], left : left + shape[3]]
        expected.append(cut.flip(2) if mirrored else cut)
    assert torch.equal(crop_flip(images, offsets, flip, padding), torch.stack(expected))


def test_without_options_images_stay_as_they_are() -> None:
    images = _images()
    augmenter = Augmenter(Augment(crop_padding=0, flip=False), draws(0, 0, 8))
    assert torch.equal(augmenter(images, _numbers()), images)


def test_without_flip_nothing_is_mirrored() -> None:
    images = torch.arange(6, dtype=torch.uint8).expand(8, 1, 6, 6) + 1
    cropped = Augmenter(Augment(crop_padding=1, flip=False), draws(0, 0, 8))(images, _numbers())
    assert (cropped[:, :, 2:4, 3] > cropped[:, :, 2:4, 2]).all()


def test_flip_mirrors_about_half_of_the_images() -> None:
    images = torch.arange(6, dtype=torch.uint8).expand(1000, 1, 6, 6)
    numbers = torch.arange(1000).numpy()
    flipped = Augmenter(Augment(crop_padding=0, flip=True), draws(0, 0, 1000))(images, numbers)
    assert 400 < int((flipped[:, 0, 0, 0] == 5).sum()) < 600


def test_crop_reaches_every_offset() -> None:
    images = torch.zeros(500, 1, 5, 5, dtype=torch.uint8)
    images[:, :, 2, 2] = 1
    cropped = Augmenter(Augment(crop_padding=1, flip=False), draws(0, 0, 500))(images, torch.arange(500).numpy())
    assert len({tuple(position) for position in cropped.nonzero()[:, 2:].tolist()}) == 9


@pytest.mark.parametrize("channels", [1, 3])
def test_randaugment_of_an_image_does_not_depend_on_its_batch(channels: int) -> None:
    images, augmenter = _images(channels), Augmenter(Augment(randaugment=True), draws(0, 0, 8))
    together = augmenter(images, _numbers())
    apart = [augmenter(images[k : k + 1], _numbers()[k : k + 1]) for k in range(8)]
    assert torch.equal(together, torch.cat(apart))
    assert not torch.equal(together, Augmenter(Augment(), draws(0, 0, 8))(images, _numbers()))


def test_seeded_leaves_the_generator_as_it_was() -> None:
    before = torch.get_rng_state()
    seeded(lambda image: image + torch.randint(0, 9, image.shape), _images(), list(range(8)))
    assert torch.equal(torch.get_rng_state(), before)


def test_seeded_draws_from_each_image_s_own_seed() -> None:
    noise = seeded(lambda image: torch.rand(3), _images(), [1, 2, 1, 3, 4, 5, 6, 7])
    assert torch.equal(noise[0], noise[2])
    assert not torch.equal(noise[0], noise[1])


def _images(channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (8, channels, 6, 5), dtype=torch.uint8, generator=generator)


def _numbers() -> Indices:
    return np.arange(8)
