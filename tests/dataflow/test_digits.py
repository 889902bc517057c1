from __future__ import annotations

import numpy as np
import pytest
import torch

from nascli.dataflow.digits import ARCHIVE, Digits, DigitsAugment


def test_digits_are_described() -> None:
    description = Digits().describe()
    assert description.classes == tuple("0123456789")
    assert description.image_shape == (1, 8, 8)
    assert description.sizes == {"train": 1293, "arch": 646, "valid": 144, "test": 360}


def test_the_fingerprint_is_that_of_the_first_version() -> None:
    assert Digits().describe().fingerprint == "6fdc6b71fe68775f4e1fb39e7f2e9e9f6edb556c7317bd1bf8667ec73e50a754"


def test_the_test_part_is_stratified() -> None:
    labels = torch.cat([b.labels for b in Digits().batches("test", device="cpu", train=False)])
    assert set(np.bincount(labels)) <= {35, 36, 37}


def test_pixels_use_most_of_the_range() -> None:
    source = Digits().source("train")
    assert source is not None
    assert (source.load().min(), source.load().max()) == (0, 240)


def test_digits_are_not_mirrored() -> None:
    assert Digits().config.augment == DigitsAugment(crop_padding=1, flip=False)


def test_the_archive_stays_small() -> None:
    assert ARCHIVE.stat().st_size < 60_000


def test_the_images_are_those_of_scikit_learn() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    parts = [Digits().source(part) for part in ("train", "test")]
    ours = np.concatenate([part.load().reshape(-1, 64) // 15 for part in parts if part])
    theirs = datasets.load_digits().data.astype(np.uint8)
    assert sorted(map(bytes, ours)) == sorted(map(bytes, theirs))
