from __future__ import annotations

import tracemalloc
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from nascli.errors import UsageError
from nascli.space import Decision, Space, Unordered

from .helpers import (
    A,
    chained,
    either,
    everything,
    exists_by_hand,
    network_by_hand,
    places,
    small,
    space,
)

SMALL = small()
LABELS = tuple(f"d{i}" for i in range(300))


def canonical_forms(of: Space) -> np.ndarray:
    return np.unique(of.canonical(everything(of)), axis=0)


# --- canonical form --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arch", "expected"),
    [
        ([0, 1, 1, 2], [0, 0, 1, 0]),
        ([1, 0, 0, 2], [1, 0, 0, 0]),
        ([2, 1, 1, 2], [2, 1, 1, 2]),
        ([0, 0, 0, 1], [0, 0, 0, 0]),
    ],
)
def test_what_does_not_exist_is_index_0(arch: list[int], expected: list[int]) -> None:
    assert chained().canonical(np.array(arch)).tolist() == expected


def test_what_hangs_on_index_0_of_what_does_not_exist_does_not_exist() -> None:
    of = space(Decision("a", A), Decision("b", A, active_if=(("a", (1,)),)), Decision("c", A, active_if=(("b", (0,)),)))
    assert of.canonical(np.array([[0, 0, 2], [1, 0, 2], [1, 1, 2]])).tolist() == [[0, 0, 0], [1, 0, 2], [1, 1, 0]]


@pytest.mark.parametrize(
    ("arch", "expected"),
    [
        ([1, 2, 1], [1, 0, 1]),
        ([0, 2, 1], [0, 2, 1]),
        ([0, 1, 1], [0, 1, 0]),
    ],
)
def test_any_of_its_conditions_makes_a_decision_exist(arch: list[int], expected: list[int]) -> None:
    assert either().canonical(np.array(arch)).tolist() == expected


def test_a_condition_of_a_parent_that_does_not_exist_does_not_hold() -> None:
    assert either().exists(np.array([[1, 2, 1], [0, 2, 1], [0, 0, 1]])).tolist() == [
        [True, False, True],
        [True, True, True],
        [True, True, False],
    ]


@pytest.mark.parametrize(
    ("arch", "expected"), [([1, 2, 0, 1], [1, 0, 1, 2]), ([0, 2, 2, 1], [0, 0, 1, 2]), ([0, 2, 2, 2], [0, 0, 0, 2])]
)
def test_unordered_places_are_sorted_and_enough_of_them_taken(arch: list[int], expected: list[int]) -> None:
    assert places(at_least=2).canonical(np.array(arch)).tolist() == expected


@given(SMALL)
def test_a_decision_exists_where_any_of_its_conditions_holds(of: Space) -> None:
    archs = everything(of)
    expected = [list(exists_by_hand(of, arch).values()) for arch in archs.tolist()]
    assert of.exists(archs).tolist() == expected


@given(SMALL)
def test_two_vectors_have_one_canonical_form_exactly_where_they_are_one_network(of: Space) -> None:
    forms: dict[object, set[tuple[int, ...]]] = {}
    archs = everything(of)
    for arch, form in zip(archs.tolist(), of.canonical(archs).tolist(), strict=True):
        network = network_by_hand(of, arch)
        if network is not None:
            forms.setdefault(network, set()).add(tuple(form))
    assert all(len(found) == 1 for found in forms.values())
    assert len(set.union(*forms.values())) == len(forms)


@given(SMALL)
def test_a_canonical_form_is_the_same_network(of: Space) -> None:
    for arch in everything(of).tolist():
        network = network_by_hand(of, arch)
        assert network is None or network_by_hand(of, of.canonical(np.array(arch)).tolist()) == network


@given(SMALL)
def test_the_canonical_form_of_a_canonical_form_is_itself(of: Space) -> None:
    once = of.canonical(everything(of))
    assert np.array_equal(of.canonical(once), once)


@given(SMALL)
def test_canonical_forms_are_architectures_of_the_space(of: Space) -> None:
    forms = of.canonical(everything(of))
    assert np.array_equal(of.check(forms), forms)


@given(SMALL)
def test_the_count_is_the_number_of_networks(of: Space) -> None:
    networks = {network_by_hand(of, arch) for arch in everything(of).tolist()} - {None}
    assert of.count == len(canonical_forms(of)) == len(networks)


@given(SMALL)
def test_one_architecture_has_the_canonical_form_that_it_has_among_many(of: Space) -> None:
    archs = everything(of)[:50]
    assert np.array_equal(np.stack([of.canonical(arch) for arch in archs]), of.canonical(archs))
    assert np.array_equal(np.stack([of.exists(arch) for arch in archs]), of.exists(archs))


@pytest.mark.parametrize("of", [chained(), places(at_least=1)])
def test_the_canonical_form_leaves_its_argument_as_it_was(of: Space) -> None:
    archs = everything(of)
    of.canonical(archs)
    assert np.array_equal(archs, everything(of))


def test_the_count_of_a_large_space_is_exact() -> None:
    of = space(*(Decision(f"d{i}", tuple(map(str, range(9)))) for i in range(40)))
    assert of.count == 9**40


def test_decisions_that_hang_on_each_other_in_many_ways_are_answered_at_once() -> None:
    """Each hangs on the three before it: the ways up from the last one are more than 3 ** 20."""
    decisions = [Decision("d0", ("a", "b"))]
    for i in range(1, 60):
        before = tuple((f"d{j}", (1,)) for j in range(max(0, i - 3), i))
        decisions.append(Decision(f"d{i}", ("a", "b"), active_if=before))
    of, ones = space(*decisions), np.ones(60, dtype=np.int64)
    gap = ones.copy()
    gap[10:13] = 0
    assert of.canonical(ones).tolist() == ones.tolist()
    assert of.exists(gap).tolist() == [True] * 13 + [False] * 47


# --- groups ----------------------------------------------------------------------------------------------------------


def test_decisions_that_hang_together_are_one_group_and_others_stand_alone() -> None:
    groups = chained().groups
    assert [group.decisions for group in groups] == [(0, 1, 3), (2,)]
    assert groups[1].states.tolist() == [[0], [1]]
    assert groups[0].states.tolist() == [
        [0, 0, 0],
        *([op, *rest] for op in (1, 2) for rest in ([0, 0], [1, 0], [1, 1], [1, 2])),
    ]


def test_unordered_places_are_one_group_of_ascending_states() -> None:
    alone, together = places(2, at_least=1).groups
    assert (alone.decisions, together.decisions) == ((0,), (1, 2))
    assert together.states.tolist() == [[0, 0], [0, 1], [0, 2], [1, 1], [1, 2]]


def test_tied_decisions_are_one_group_of_all_their_states() -> None:
    of = space(Decision("a", ("x", "y")), Decision("b", A), Decision("c", ("x", "y")), tied=(("c", "a"), ("b",), ()))
    assert [group.decisions for group in of.groups] == [(0, 2), (1,)]
    assert of.groups[0].states.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


@given(SMALL)
def test_the_products_of_group_states_are_the_canonical_architectures(of: Space) -> None:
    positions = [i for group in of.groups for i in group.decisions]
    assert sorted(positions) == list(range(len(of.decisions)))
    joint = np.array([np.concatenate(rows) for rows in product(*(group.states for group in of.groups))])
    assert len(joint) == of.count
    assert np.array_equal(np.unique(joint[:, np.argsort(positions)], axis=0), canonical_forms(of))


def test_joint_decisions_with_too_many_states_are_refused_by_name() -> None:
    wide = tuple(map(str, range(1000)))
    chain = [Decision(f"d{i}", wide, active_if=((f"d{i - 1}", (0,)),) if i else ()) for i in range(3)]
    assert space(*chain).count == 999 + 999 + 1000
    with pytest.raises(UsageError, match="'test': the joint decisions d0, d1, d2 have too many states"):
        _ = space(*(Decision(f"d{i}", wide) for i in range(3)), tied=(("d0", "d1", "d2"),)).groups


@pytest.mark.parametrize("fields", [{"tied": (LABELS,)}, {"unordered": (Unordered(LABELS, 8),)}])
def test_too_many_states_are_refused_before_they_are_made(fields: dict[str, Any]) -> None:
    of = space(*(Decision(label, tuple("abcdefghi")) for label in LABELS), **fields)
    tracemalloc.start()
    with pytest.raises(UsageError, match="too many states"):
        _ = of.count
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500_000_000


def test_the_states_of_a_group_take_no_room_for_the_decisions_of_others() -> None:
    labels = [f"d{i}" for i in range(600)]
    of = space(*(Decision(label, ("a", "b")) for label in labels), tied=(tuple(labels[:14]),))
    tracemalloc.start()
    assert of.count == 2**600
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**14 * 600 * 8
