from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nascli.config import Origin, validate
from nascli.dataflow.sampling import Pixels
from nascli.dataflow.synthetic import Synthetic
from nascli.errors import ConfigError

from .helpers import same


def test_options_give_the_sizes() -> None:
    description = _flow(classes=3, image_shape=(1, 7, 9), train_images=50, test_images=11).describe()
    assert (len(description.classes), description.image_shape) == (3, (1, 7, 9))
    assert description.sizes == {"train": 45, "arch": 22, "valid": 5, "test": 11}


def test_the_image_shape_comes_from_yaml_as_a_tuple() -> None:
    assert validate(Synthetic.Config, {"image_shape": (1, 8, 8)}, Origin()).image_shape == (1, 8, 8)


@pytest.mark.parametrize("shape", [(0, 8, 8), (1, 8)])
def test_a_wrong_image_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="image_shape"):
        validate(Synthetic.Config, {"image_shape": shape}, Origin())


def test_the_same_options_give_the_same_images() -> None:
    assert same(*(_flow().batches("train", device="cpu", train=True) for _ in range(2)))


@pytest.mark.parametrize("change", [{"seed": 1}, {"noise": 0.1}, {"classes": 5}])
def test_the_fingerprint_changes_with_the_images(change: dict[str, Any]) -> None:
    assert _flow().describe().fingerprint != _flow(**change).describe().fingerprint


def test_train_and_test_images_differ() -> None:
    assert not np.array_equal(_pixels("train")[:20], _pixels("test")[:20])


def test_without_noise_images_of_a_class_are_equal() -> None:
    images = _pixels("train", noise=0.0, classes=4)
    assert np.array_equal(images[0], images[4])
    assert not np.array_equal(images[0], images[1])


def test_classes_can_be_told_apart_by_their_mean_image() -> None:
    train, test, classes = _pixels("train").astype(float), _pixels("test").astype(float), 10
    means = np.stack([train[k::classes].mean(axis=0) for k in range(classes)])
    nearest = ((test[:, None] - means) ** 2).sum(axis=(2, 3, 4)).argmin(axis=1)
    assert (nearest == np.arange(len(test)) % classes).mean() > 0.9


def _flow(**options: Any) -> Synthetic:
    return Synthetic(Synthetic.Config(**{"image_shape": (3, 8, 8), "train_images": 100, "test_images": 40, **options}))


def _pixels(part: str, **options: Any) -> Pixels:
    source = _flow(**options).source("train" if part == "train" else "test")
    assert source is not None
    return source.load()
