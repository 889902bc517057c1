from __future__ import annotations

import numpy as np

from nascli.cost.states import StateSpace
from nascli.space import Decision, Space

from .helpers import everything, nested, space


def deep() -> Space:
    """Three levels of nesting, and a choice of subsets."""
    a = Decision("a", ("x", "y", "z"))
    b = Decision("b", ("p", "q", "r"), n_chosen=None, active_if=(("a", (1, 2)),))
    c = Decision("c", ("u", "v"), active_if=(("b", (0, 3, 6)),))
    d = Decision("d", ("s", "t"))
    return Space("deep", (a, d, b, c), (3, 8, 8), 10)


def test_states_and_canonical_architectures_are_one_to_one():
    for of in (space([3, 1, 4]), nested().space, deep()):
        states, archs = StateSpace(of), everything(of)
        codes = states.encode(archs)
        assert (states.decode(codes) == archs).all()
        assert len(np.unique(codes, axis=0)) == np.prod(states.sizes) == of.count


def test_encoding_makes_architectures_canonical():
    states = StateSpace(nested().space)
    assert (states.encode(np.array([[0, 2, 3, 1]])) == states.encode(np.array([[0, 2, 0, 1]]))).all()


def test_costs_of_states_add_up_to_totals():
    model = nested()
    states, archs = StateSpace(model.space), everything(model.space)
    costs = states.costs(model["macs"])
    sums = [10 + sum(int(costs[g][s]) for g, s in enumerate(row)) for row in states.encode(archs)]
    assert sums == model["macs"].total(archs).tolist()


def test_a_group_of_very_many_decisions_has_codes_too() -> None:
    decisions = [Decision("d0", ("a", "b", "c"))]
    decisions += [Decision(f"d{i}", ("a", "b", "c"), active_if=((f"d{i - 1}", (2,)),)) for i in range(1, 45)]
    states = StateSpace(Space("deep", tuple(decisions), (1, 8, 8), 10))
    everything = np.arange(int(states.sizes[0]))[:, None]
    assert np.array_equal(states.encode(states.decode(everything)), everything)
