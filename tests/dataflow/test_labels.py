"""Labels that are no single class: several numbers an image, and maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nascli.dataflow.base import Augment
from nascli.dataflow.sources import UNLABELLED, ArraySource
from nascli.errors import ConfigError, RunFailed

from .helpers import PLAIN, Arrays, arrays

LAZY = {"in_memory_mb": 0, "normalise": "imagenet"}


def images(n: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, size=(n, 3, 6, 5), dtype=np.uint8)


def several(n: int = 20, columns: int = 3) -> ArraySource:
    """Image i has the labels i, i + 0.5, …"""
    labels = np.arange(n)[:, None] + 0.5 * np.arange(columns)
    return ArraySource.of(images(n), labels)


def maps(n: int = 20) -> ArraySource:
    """The class of a pixel says how bright its first channel is."""
    pixels = images(n)
    return ArraySource.of(pixels, pixels[:, 0].astype(np.int64) // 86)


def flow(make: Any, **options: Any) -> Arrays:
    return arrays(make(), make(6), **{"batch_size": 6, "augment": PLAIN, **options})


@pytest.mark.parametrize("options", [{}, LAZY])
def test_several_numbers_come_with_their_image(options: Any) -> None:
    batches = list(flow(several, **options).batches("train", train=True, device="cpu"))
    labels = torch.cat([batch.labels for batch in batches])
    assert labels.dtype == torch.float32
    torch.testing.assert_close(labels - labels[:, :1], torch.tensor([0, 0.5, 1.0]).expand(len(labels), 3))


@pytest.mark.parametrize("make", [several, maps])
def test_what_is_no_class_is_split_by_chance(make: Any) -> None:
    found = flow(make, valid_share=0.25)
    assert {split: len(found.indices(split)) for split in ("train", "valid", "test")} == {
        "train": 15,
        "valid": 5,
        "test": 6,
    }


@pytest.mark.parametrize("options", [{}, LAZY])
def test_maps_are_cropped_and_mirrored_with_their_images(options: Any) -> None:
    data = flow(maps, augment=Augment(crop_padding=2, flip=True), **options)
    mean, std = (np.array(values)[0] for values in data.normalisation)
    moved = 0
    for batch in data.batches("train", train=True, device="cpu"):
        brightness = torch.round((batch.images[:, 0] * std + mean) * 255).long()
        inside = batch.labels != UNLABELLED
        assert torch.equal(brightness[inside] // 86, batch.labels[inside])
        assert (brightness[~inside] == 0).all()
        moved += int((~inside).sum())
    assert moved


def test_evaluation_leaves_maps_as_they_are() -> None:
    (batch,) = flow(maps, augment=Augment()).batches("test", train=False, device="cpu")
    assert np.array_equal(batch.labels.numpy(), maps(6).labels)


def test_maps_forbid_what_moves_images_alone() -> None:
    data = flow(maps, augment=Augment(randaugment=True))
    with pytest.raises(ConfigError, match="randaugment: the labels of 'arrays' are maps"):
        data.batches("train", train=True, device="cpu")
    data.batches("valid", train=False, device="cpu")


def bad(change: str) -> ArraySource:
    if change == "columns":
        return several(columns=2)
    source = several() if change == "finite" else maps()
    labels = source.labels.copy()
    labels.flat[7] = {"finite": np.nan, "class": 3, "negative": -1}[change]
    return ArraySource.of(images(20), labels)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("columns", "2 columns for 3 classes"),
        ("finite", "not finite"),
        ("class", "has label 3"),
        ("negative", "has label -1"),
    ],
)
def test_labels_that_mean_nothing_are_refused(change: str, said: str) -> None:
    with pytest.raises(RunFailed, match=said):
        arrays(bad(change)).describe()


def test_labels_of_a_validation_part_are_looked_at_too() -> None:
    wrong = ArraySource.of(images(4), np.array([0, 1, 2, 3]))
    with pytest.raises(RunFailed, match="a validation image has label 3"):
        arrays(ArraySource.of(images(20), np.arange(20) % 3), valid=wrong).describe()


def test_pixels_without_a_label_are_allowed() -> None:
    labels = maps().labels.copy()
    labels[:, 0] = UNLABELLED
    arrays(ArraySource.of(images(20), labels)).describe()
