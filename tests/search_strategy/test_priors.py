from __future__ import annotations

from collections import Counter

import numpy as np

from nascli.search_strategy.priors import PriorPool
from nascli.testing.spaces import chain, nested

WIDE = chain(np.random.default_rng(0).integers(0, 50, (8, 4)).tolist())


def drawn(targets: int = 10, each: int = 5, seed: int = 0) -> PriorPool:
    return PriorPool.drawn(WIDE, "macs", targets, each, np.random.default_rng(seed))


def test_priors_lie_all_over_the_range() -> None:
    pool = drawn()
    low, high = pool.costs[0], pool.costs[-1]
    parts = Counter(np.minimum((pool.costs - low) / (high - low) * 10, 9).astype(int).tolist())
    assert sorted(parts) == list(range(10))
    assert all(number >= 5 for number in parts.values())


def test_priors_are_in_the_order_of_their_costs() -> None:
    pool = drawn()
    assert pool.costs.tolist() == sorted(pool.costs.tolist())
    assert pool.costs.tolist() == WIDE.total("macs", pool.archs).tolist()


def test_the_nearest_priors_come_first() -> None:
    pool = drawn()
    total = float(pool.costs.mean())
    off = np.abs(WIDE.total("macs", pool.near(total, 6)) - total)
    assert off.tolist() == sorted(np.abs(pool.costs - total).tolist())[:6]


def test_more_priors_than_there_are_cannot_be_had() -> None:
    pool = drawn(1, 1)
    assert len(pool.near(0.0, 99)) == len(pool.archs) == 3


def test_equal_generators_draw_equal_pools() -> None:
    assert np.array_equal(drawn(seed=1).archs, drawn(seed=1).archs)
    assert not np.array_equal(drawn(seed=1).archs, drawn(seed=2).archs)


def test_places_that_no_architecture_costs_are_left_out() -> None:
    pool = PriorPool.drawn(chain([[0, 1000], [0, 1]]), "macs", 16, 2, np.random.default_rng(0))
    assert {10, 1011} <= set(pool.costs.tolist()) <= {10, 11, 1010, 1011}


def test_a_space_of_one_architecture_has_priors() -> None:
    pool = PriorPool.drawn(chain([[3], [4]]), "macs", 4, 2, np.random.default_rng(0))
    assert set(map(tuple, pool.near(17.0, 5))) == {(0, 0)}


def test_priors_of_nested_decisions_are_canonical() -> None:
    model = nested()
    pool = PriorPool.drawn(model, "macs", 8, 4, np.random.default_rng(0))
    assert np.array_equal(pool.archs, model.space.canonical(pool.archs))
