from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nascli.dataflow.base import Augment

from .helpers import arrays, numbered_part, random_part


def test_train_and_valid_divide_the_training_part() -> None:
    flow = arrays(random_part(60, 0))
    train, valid = flow.indices("train"), flow.indices("valid")
    assert sorted([*train, *valid]) == list(range(60))


def test_arch_lies_in_train() -> None:
    flow = arrays(random_part(60, 0))
    assert set(flow.indices("arch")) < set(flow.indices("train"))


def test_test_numbers_follow_the_training_part() -> None:
    assert list(arrays(random_part(60, 0)).indices("test")) == list(range(60, 66))


def test_sizes_follow_the_shares() -> None:
    flow = arrays(random_part(60, 0), valid_share=0.2, arch_share=0.25)
    assert flow.describe().sizes == {"train": 48, "arch": 12, "valid": 12, "test": 6}


@pytest.mark.parametrize("split", ["train", "arch", "valid"])
def test_splits_are_stratified(split: str) -> None:
    flow = arrays(random_part(90, 0), valid_share=0.2)
    counts = np.bincount(flow.indices(split) % 3)
    assert counts.max() - counts.min() <= 1


def test_the_same_options_give_the_same_splits() -> None:
    one, other = (arrays(random_part(60, 0)) for _ in range(2))
    assert all(np.array_equal(one.indices(split), other.indices(split)) for split in ("train", "arch", "valid"))


def test_the_split_seed_changes_the_splits() -> None:
    one, other = (arrays(random_part(60, 0), split_seed=seed) for seed in (0, 1))
    assert not np.array_equal(one.indices("valid"), other.indices("valid"))


def test_a_validation_part_is_used_whole() -> None:
    flow = arrays(random_part(60, 0), valid=random_part(9, 1))
    assert flow.describe().sizes == {"train": 60, "arch": 30, "valid": 9, "test": 6}
    assert list(flow.indices("valid")) == list(range(60, 69))


def test_with_a_validation_part_the_share_is_recorded_as_zero() -> None:
    flow = arrays(random_part(60, 0), valid=random_part(9, 1), valid_share=0.3)
    assert flow.describe().split == {"seed": 0, "valid_share": 0.0, "arch_share": 0.5}


def test_describe_names_shape_and_classes() -> None:
    description = arrays(random_part(60, 0)).describe()
    assert (description.name, description.classes, description.image_shape) == ("arrays", ("a", "b", "c"), (3, 6, 5))


@pytest.mark.parametrize("change", [{"split_seed": 1}, {"valid_share": 0.2}, {"arch_share": 0.4}])
def test_fingerprint_changes_with_the_split(change: dict[str, Any]) -> None:
    assert _fingerprint() != _fingerprint(**change)


@pytest.mark.parametrize("part", ["train", "test"])
def test_fingerprint_changes_with_the_data(part: str) -> None:
    parts = {"train": random_part(60, 0), "test": random_part(6, 1)}
    changed = {**parts, part: random_part(len(parts[part]), 2)}
    assert arrays(**parts).describe().fingerprint != arrays(**changed).describe().fingerprint


def test_fingerprint_changes_with_the_normalisation() -> None:
    assert _fingerprint() != _fingerprint(normalise="imagenet")


@pytest.mark.parametrize("change", [{"batch_size": 8}, {"workers": 2}, {"augment": Augment(crop_padding=1)}])
def test_fingerprint_does_not_change_with_the_training(change: dict[str, Any]) -> None:
    assert _fingerprint() == _fingerprint(**change)


def test_fingerprint_is_the_one_of_version_1() -> None:
    fingerprint = arrays(numbered_part(30), numbered_part(6)).describe().fingerprint
    assert fingerprint == "07fcdc5533857e2946950770f38c228237195af1e310a9059c757e3272476e73"


def _fingerprint(**options: Any) -> str:
    return arrays(random_part(60, 0), **options).describe().fingerprint
