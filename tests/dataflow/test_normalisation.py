from __future__ import annotations

import numpy as np
import pytest

from nascli.dataflow.normalisation import chunks, imagenet, measured
from nascli.errors import ConfigError

from .helpers import arrays, random_part


def test_measured_equals_the_mean_and_std_of_all_pixels() -> None:
    images = random_part(50, 0).load()
    norm = measured([images], 3)
    assert np.allclose(norm.mean, images.mean(axis=(0, 2, 3)) / 255, rtol=1e-12)
    assert np.allclose(norm.std, images.std(axis=(0, 2, 3)) / 255, rtol=1e-12)


def test_measured_does_not_depend_on_chunks() -> None:
    images = random_part(50, 0).load()
    assert measured([images], 3) == measured((image[None] for image in images), 3)


def test_chunks_cover_all_images() -> None:
    images = np.zeros((2500, 1, 1, 1), np.uint8)
    assert [len(chunk) for chunk in chunks(images)] == [1024, 1024, 452]


def test_a_constant_channel_has_std_one() -> None:
    assert measured([np.full((2, 1, 3, 3), 255, np.uint8)], 1) == ((1.0,), (1.0,))


def test_imagenet_constants_of_grey_images_are_averages() -> None:
    assert imagenet(1).mean[0] == pytest.approx(sum(imagenet(3).mean) / 3)


def test_imagenet_has_no_constants_for_two_channels() -> None:
    with pytest.raises(ConfigError, match="2 channels"):
        imagenet(2)


def test_auto_measures_what_fits_into_memory() -> None:
    assert arrays(random_part(30, 0)).normalisation == arrays(random_part(30, 0), normalise="train").normalisation


def test_auto_takes_imagenet_s_constants_for_what_does_not_fit() -> None:
    assert arrays(random_part(30, 0), in_memory_mb=0).normalisation == imagenet(3)


def test_statistics_can_be_measured_without_keeping_the_images() -> None:
    kept, lazy = (arrays(random_part(30, 0), in_memory_mb=mb, normalise="train") for mb in (2048, 0))
    assert kept.normalisation == lazy.normalisation
