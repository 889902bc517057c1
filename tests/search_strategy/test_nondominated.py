from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nascli.search_strategy.nondominated import crowding, front_of, fronts, knee

POINTS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=12)


def beats(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((one <= other).all() and (one < other).any())


@settings(max_examples=60, deadline=None)
@given(POINTS)
def test_a_front_is_what_no_point_beats_each_once(found: list[tuple[int, int, int]]) -> None:
    points = np.array(found, dtype=float)
    rows = front_of(points).tolist()
    unbeaten = {i for i in range(len(points)) if not any(beats(other, points[i]) for other in points)}
    assert {tuple(points[i]) for i in rows} == {tuple(points[i]) for i in unbeaten}
    assert len({tuple(points[i]) for i in rows}) == len(rows)


@settings(max_examples=60, deadline=None)
@given(POINTS)
def test_every_point_is_in_one_front_and_fronts_get_worse(found: list[tuple[int, int, int]]) -> None:
    points = np.array(found, dtype=float)
    layers = fronts(points)
    assert sorted(np.concatenate(layers).tolist()) == list(range(len(points)))
    for better, worse in pairwise(layers):
        for row in worse:
            assert any((points[i] <= points[row]).all() for i in better)


def test_room_between_neighbours() -> None:
    points = np.array([[0.0, 4.0], [1.0, 3.0], [3.0, 1.0], [4.0, 0.0]])
    assert crowding(points).tolist() == [np.inf, pytest.approx(3 / 4 + 3 / 4), pytest.approx(3 / 4 + 3 / 4), np.inf]
    assert crowding(np.array([[1.0, 2.0]])).tolist() == [np.inf]


def test_the_knee_bends_most() -> None:
    assert knee(np.array([[0.0, 10.0], [1.0, 1.0], [10.0, 0.0]])) == 1
    assert knee(np.array([[2.0, 3.0]])) == 0
