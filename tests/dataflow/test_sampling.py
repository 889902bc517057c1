from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nascli.dataflow.sampling import batched, draws, epoch_order, first_of, steps, stratified, stream


@given(labels=st.lists(st.integers(0, 5), min_size=1, max_size=80), share=st.floats(0, 1), seed=st.integers(0, 9))
def test_stratified_keeps_every_class_share_within_one_image(labels: list[int], share: float, seed: int) -> None:
    values = np.array(labels, np.int64)
    total = round(share * len(values))
    chosen = stratified(values, total, np.random.default_rng(seed))
    assert len(np.unique(chosen)) == len(chosen) == total
    for label in set(labels):
        exact = total * labels.count(label) / len(labels)
        assert abs((values[chosen] == label).sum() - exact) < 1


def test_stratified_is_ascending() -> None:
    chosen = stratified(np.arange(50) % 3, 20, np.random.default_rng(0))
    assert (np.diff(chosen) > 0).all()


def test_stratified_depends_on_the_generator() -> None:
    labels = np.arange(60) % 3
    one, other = (stratified(labels, 30, np.random.default_rng(seed)) for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_stratified_takes_labels_with_gaps() -> None:
    assert len(stratified(np.array([7, 7, 2, 2]), 2, np.random.default_rng(0))) == 2


def test_streams_of_different_names_differ() -> None:
    assert stream(0, "order", 1).integers(2**60) != stream(0, "augment", 1).integers(2**60)


def test_epoch_order_is_a_permutation_that_changes_with_the_epoch() -> None:
    numbers = np.arange(10, 40)
    first, second = epoch_order(numbers, 0, 0), epoch_order(numbers, 0, 1)
    assert sorted(first) == sorted(second) == list(numbers)
    assert not np.array_equal(first, second)


def test_first_of_grows_by_appending() -> None:
    numbers = np.arange(30)
    assert np.array_equal(first_of(numbers, 20, 3)[:5], first_of(numbers, 5, 3))


@pytest.mark.parametrize(
    ("n", "train", "expected"), [(10, True, 2), (3, True, 1), (0, True, 0), (8, True, 2), (10, False, 3), (0, False, 0)]
)
def test_steps_with_batches_of_four(n: int, train: bool, expected: int) -> None:
    assert steps(n, 4, train=train) == expected


def test_batched_from_a_later_start_gives_the_same_batches() -> None:
    numbers = np.arange(11)
    whole = batched(numbers, 4, train=False)
    assert [list(b) for b in batched(numbers, 4, train=False, start=1)] == [list(b) for b in whole[1:]]


def test_draws_change_with_seed_and_epoch() -> None:
    tables = [draws(seed, epoch, 5) for seed, epoch in ((0, 0), (0, 1), (1, 0))]
    assert len({table.tobytes() for table in tables}) == 3


def test_draws_have_a_row_for_each_image() -> None:
    table = draws(0, 0, 5)
    assert table.shape == (5, 4)
    assert table.dtype == np.uint32
