from __future__ import annotations

import json
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nascli.space import Decision, Unordered

from .helpers import A

PICKS = st.integers(1, 7).flatmap(
    lambda n: st.builds(Decision, st.just("pick"), st.just(tuple("abcdefg"[:n])), st.none() | st.integers(1, n))
)


@st.composite
def rules(draw: st.DrawFn) -> tuple[Unordered, list[int]]:
    """A rule for up to four places, and one index for each of them."""
    n, empty = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    rule = Unordered(tuple(map(str, range(n))), empty, draw(st.integers(0, n)))
    return rule, draw(st.lists(st.integers(0, empty), min_size=n, max_size=n))


# --- subsets ---------------------------------------------------------------------------------------------------------


@given(PICKS)
def test_the_indices_of_a_decision_are_its_subsets_by_size_then_in_order(decision: Decision) -> None:
    n, k = len(decision.candidates), decision.n_chosen
    expected = [s for size in ([k] if k else range(1, n + 1)) for s in combinations(range(n), size)]
    assert [decision.chosen(i) for i in range(decision.size)] == expected


@given(PICKS)
def test_a_subset_leads_back_to_its_index(decision: Decision) -> None:
    assert [decision.index(decision.chosen(i)) for i in range(decision.size)] == list(range(decision.size))


@pytest.mark.parametrize("n_chosen", [1, 2, None])
@pytest.mark.parametrize("chosen", [(), (3,), (-1,), (1, 0), (0, 0), (0, 3), (0, 1, 2, 3)])
def test_what_is_no_subset_has_no_index(n_chosen: int | None, chosen: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="not in"):
        Decision("pick", A, n_chosen).index(chosen)


def test_a_subset_of_another_size_has_no_index() -> None:
    with pytest.raises(ValueError, match="not in"):
        Decision("pick", A, 2).index((1,))
    with pytest.raises(ValueError, match="not in"):
        Decision("pick", A).index((0, 1))


@given(PICKS)
def test_the_indices_with_a_candidate_are_those_whose_subset_has_it(decision: Decision) -> None:
    n, k = len(decision.candidates), decision.n_chosen
    for candidate in range(n):
        found = decision.indices_with(candidate)
        assert all(candidate in decision.chosen(i) for i in found)
        assert len(found) == (2 ** (n - 1) if k is None else comb(n - 1, k - 1))


def test_a_subset_is_named_by_its_candidates() -> None:
    assert [Decision("pick", A, 2).name(i) for i in range(3)] == ["a+b", "a+c", "b+c"]
    assert Decision("pick", A, None).name(6) == "a+b+c"
    assert Decision("pick", A).name(2) == "c"


def test_a_large_single_choice_makes_no_list_of_subsets() -> None:
    decision = Decision("pick", tuple(map(str, range(2**20))))
    assert (decision.size, decision.chosen(2**20 - 1), decision.index((7,))) == (2**20, (2**20 - 1,), 7)
    assert "_subsets" not in vars(decision)


# --- description -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "decision",
    [
        Decision("op", A),
        Decision("op", A, None, nested=True),
        Decision("op", A, 2, (("x", (0, 2)), ("y", ()), ("x", (1,)))),
    ],
)
def test_a_description_gives_the_decision_again(decision: Decision) -> None:
    assert Decision.from_description(json.loads(json.dumps(decision.describe()))) == decision


def test_a_description_gives_the_rule_of_unordered_decisions_again() -> None:
    rule = Unordered(("x", "y"), 2, at_least=1)
    assert Unordered.from_description(json.loads(json.dumps(rule.describe()))) == rule


# --- unordered -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at_least", "indices", "expected"),
    [
        (0, [3, 0, 2], [0, 2, 3]),
        (0, [3, 3, 3], [3, 3, 3]),
        (1, [3, 3, 3], [0, 3, 3]),
        (2, [3, 2, 3], [0, 2, 3]),
        (3, [3, 1, 3], [0, 0, 1]),
        (2, [1, 1, 3], [1, 1, 3]),
    ],
)
def test_unordered_places_are_sorted_and_the_empty_ones_taken_by_0(
    at_least: int, indices: list[int], expected: list[int]
) -> None:
    assert Unordered(("x", "y", "z"), 3, at_least).canonical(np.array(indices)).tolist() == expected


@given(rules())
def test_unordered_places_keep_what_they_hold_where_it_is_enough(drawn: tuple[Unordered, list[int]]) -> None:
    rule, indices = drawn
    found = rule.canonical(np.array([indices]))[0].tolist()
    taken = sum(i != rule.empty for i in indices)
    assert found == sorted(found)
    assert sum(i != rule.empty for i in found) == max(taken, rule.at_least)
    assert [i for i in sorted(indices) if i != rule.empty] == found[max(rule.at_least - taken, 0) :][:taken]


def test_the_canonical_form_of_unordered_places_leaves_its_argument_as_it_was() -> None:
    indices = np.array([3, 1, 3])
    Unordered(("x", "y", "z"), 3, 2).canonical(indices)
    assert indices.tolist() == [3, 1, 3]
