from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nascli.cost.feasible import FeasibleSet
from nascli.cost.variation import NEIGHBOURS
from nascli.space import Archs

from .helpers import WHOLE, chain, feasible, nested, tables, unordered

SETS = [feasible(nested(), "macs<=24"), feasible(unordered(), "macs<=17"), feasible(chain({"macs": [[3], [1, 2]]}))]


def everything(inside: FeasibleSet) -> Archs:
    """All canonical architectures that are feasible."""
    grid = np.array(list(product(*map(range, inside.states.sizes))), dtype=np.int64)
    return inside.states.decode(grid[inside.fits(grid)])


def differing(inside: FeasibleSet, arch: Archs, changes: int) -> set[tuple[int, ...]]:
    found = everything(inside)
    differ = (inside.states.encode(found) != inside.states.encode(arch[None])).sum(axis=1)
    return set(map(tuple, found[differ == changes].tolist()))


@pytest.mark.parametrize("inside", SETS, ids=["nested", "unordered", "one of two"])
@pytest.mark.parametrize("changes", [1, 2])
def test_neighbours_are_all_that_differ_in_so_many_groups(inside: FeasibleSet, changes: int) -> None:
    for arch in everything(inside)[::3]:
        found = inside.neighbours(arch, changes, np.random.default_rng(0))
        assert set(map(tuple, found.tolist())) == differing(inside, arch, changes)


@settings(max_examples=25)
@given(tables(WHOLE, 4), st.data())
def test_neighbours_are_feasible_and_come_once(costs: list[list[int]], data: st.DataObject) -> None:
    bound = data.draw(st.integers(sum(map(min, costs)), sum(map(max, costs))))
    inside = feasible(chain({"macs": costs}), f"macs<={bound}")
    arch = inside.sample(1, np.random.default_rng(1))[0]
    for changes in (1, 2):
        found = inside.neighbours(arch, changes, np.random.default_rng(2))  # type: ignore[arg-type]
        assert inside.contains(found).all()
        assert len(np.unique(found, axis=0)) == len(found)


def test_a_space_of_one_architecture_has_no_neighbours() -> None:
    inside = feasible(chain({"macs": [[3], [4]]}))
    for changes in (1, 2):
        assert inside.neighbours(np.array([0, 0]), changes, np.random.default_rng(0)).shape == (0, 2)  # type: ignore[arg-type]


def test_no_more_than_so_many_are_looked_at() -> None:
    inside = feasible(chain({"macs": [[0] * 200] * 20}))
    found = inside.neighbours(np.zeros(20, dtype=np.int64), 1, np.random.default_rng(0))
    assert len(found) == NEIGHBOURS
    assert len(np.unique(found, axis=0)) == NEIGHBOURS


def test_their_order_is_a_function_of_the_generator() -> None:
    inside, arch = SETS[0], np.zeros(4, dtype=np.int64)
    orders = [inside.neighbours(arch, 1, np.random.default_rng(seed)).tolist() for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
