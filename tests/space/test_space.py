from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nascli.errors import ArtifactError, UsageError
from nascli.space import Decision, Space, Unordered, compact

from .helpers import A, chained, either, everything, exists_by_hand, network_by_hand, places, small, space, spaces

SMALL = small()
E = ("a", "b", "empty")


# --- what makes a space ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        ((), "has no decision to search"),
        ((Decision("op", A), Decision("op", A)), "decision 'op' stands twice"),
        ((Decision("op", ()),), "decision 'op' has no candidates"),
        ((Decision("op", ("a", "b", "a")),), "decision 'op' names a candidate twice"),
        ((Decision("op", A, 0),), "decision 'op' chooses 0 of 3 candidates"),
        ((Decision("op", A, -1),), "decision 'op' chooses -1 of 3 candidates"),
        ((Decision("op", A, 4),), "decision 'op' chooses 4 of 3 candidates"),
        ((Decision("op", tuple(map(str, range(30))), None),), "decision 'op' has 1073741823 subsets"),
        ((Decision("op", tuple(map(str, range(40))), 20),), "subsets, more than 1048576"),
        ((Decision("op", A, active_if=(("gone", (0,)),)),), "decision 'op' hangs on 'gone'"),
        ((Decision("op", A, active_if=(("op", (0,)),)),), "decision 'op' hangs on 'op'"),
        ((Decision("x", A, active_if=(("y", (0,)),)), Decision("y", A)), "decision 'x' hangs on 'y'"),
        ((Decision("x", A), Decision("y", A, active_if=(("x", (3,)),))), "decision 'y' hangs on 'x'"),
        ((Decision("x", A), Decision("y", A, active_if=(("x", (-1,)),))), "decision 'y' hangs on 'x'"),
        ((Decision("x", A), Decision("y", A, active_if=(("x", (0,)), ("x", (3,))))), "decision 'y' hangs on 'x'"),
        ((Decision("x", A), Decision("y", A, active_if=(("x", (0,)), ("z", (0,))))), "decision 'y' hangs on 'z'"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(decisions: tuple[Decision, ...], expected: str) -> None:
    with pytest.raises(UsageError, match=expected) as caught:
        space(*decisions)
    assert caught.value.exit_code == 2
    assert "'test'" in caught.value.what


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([Unordered(("x", "gone"), 2)], "unordered decisions x, gone are not alike"),
        ([Unordered((), 2)], "unordered decisions  are not alike"),
        ([Unordered(("x", "other"), 2)], "unordered decisions x, other are not alike"),
        ([Unordered(("x", "several"), 2)], "unordered decisions x, several are not alike"),
        ([Unordered(("x", "hangs"), 2)], "unordered decisions x, hangs are not alike"),
        ([Unordered(("x", "y"), 1)], "the last candidate of unordered decisions is the empty one"),
        ([Unordered(("x", "y"), 2, 3)], "3 of x, y cannot be taken"),
        ([Unordered(("x", "y"), 2, -1)], "-1 of x, y cannot be taken"),
        ([Unordered(("lonely",), 0, 1)], "1 of lonely cannot be taken"),
        ([Unordered(("x", "x"), 2)], "'x' is unordered, so it stands in one rule and none hangs on it"),
        ([Unordered(("x", "y"), 2), Unordered(("y",), 2)], "'y' is unordered, so it stands in one rule"),
        ([Unordered(("parent", "x"), 2)], "'parent' is unordered, so it stands in one rule and none hangs on it"),
    ],
)
def test_unordered_decisions_that_make_no_sense_are_refused(rules: list[Unordered], expected: str) -> None:
    several, hangs = Decision("several", E, None), Decision("hangs", E, active_if=(("parent", (1,)),))
    alike = [Decision(label, E) for label in ("x", "y", "parent")]
    with pytest.raises(UsageError, match=expected):
        space(*alike, Decision("other", A), several, hangs, Decision("lonely", ("a",)), unordered=tuple(rules))


def test_what_is_tied_must_be_a_decision() -> None:
    with pytest.raises(UsageError, match="'gone' is tied to others, but is no decision"):
        space(Decision("x", A), tied=(("x", "gone"),))


# --- what a supernet runs --------------------------------------------------------------------------------------------


def test_a_forward_runs_the_chosen_candidates_without_weights() -> None:
    forward = space(Decision("op", A), Decision("in", A, 2), Decision("any", A, None)).forward([2, 1, 6])
    found = {label: (selection.active, selection.weights) for label, selection in forward.items()}
    assert found == {"op": ((2,), None), "in": ((0, 2), None), "any": ((0, 1, 2), None)}


def test_a_forward_runs_nothing_for_a_decision_that_does_not_exist() -> None:
    found = {label: selection.active for label, selection in chained().forward([0, 1, 1, 2]).items()}
    assert found == {"op": (0,), "width": (), "tail": (1,), "act": ()}


@pytest.mark.parametrize(("arch", "shared"), [([1, 0, 2], (2,)), ([0, 2, 2], (2,)), ([0, 1, 2], ())])
def test_a_forward_runs_what_any_of_its_conditions_calls_for(arch: list[int], shared: tuple[int, ...]) -> None:
    assert either().forward(arch)["shared"].active == shared


@given(SMALL)
def test_a_forward_selects_nothing_exactly_where_a_decision_does_not_exist(of: Space) -> None:
    for arch in everything(of)[:60].tolist():
        found = {label: bool(selection.active) for label, selection in of.forward(arch).items()}
        assert found == exists_by_hand(of, arch)


@given(SMALL)
def test_vectors_of_one_network_have_one_forward(of: Space) -> None:
    forwards: dict[object, object] = {}
    for arch in everything(of)[:60].tolist():
        network = network_by_hand(of, arch)
        if network is not None:
            forward = of.forward(arch)
            assert forwards.setdefault(network, forward) == forward


@pytest.mark.parametrize("of", [chained(), places(3)])
@pytest.mark.parametrize("n", [0, 2, 5])
def test_a_forward_of_a_vector_of_another_length_is_refused(of: Space, n: int) -> None:
    with pytest.raises(ValueError, match=rf"expected 4 indices, found shape \({n},\)"):
        of.forward([0] * n)


def test_names_say_what_each_decision_chose() -> None:
    assert list(chained().names([1, 1, 0, 2])) == [("op", "b"), ("width", "wide"), ("tail", "none"), ("act", "c")]
    assert compact(np.array([0, 2, 1])) == "0,2,1"


# --- check -----------------------------------------------------------------------------------------------------------


def test_good_architectures_come_back_as_rows_of_int64() -> None:
    one, two = chained().check([0, 1, 1, 2]), chained().check(np.zeros((2, 4), dtype=np.uint8))
    assert (one.tolist(), one.dtype) == ([[0, 1, 1, 2]], np.int64)
    assert (two.shape, two.dtype) == ((2, 4), np.int64)
    assert places(at_least=1).check(np.zeros((0, 4), dtype=np.int64)).shape == (0, 4)


@pytest.mark.parametrize(
    ("archs", "expected"),
    [
        ([0, 2, 0, 0], "decision 'width' takes 0 to 1, found 2"),
        ([[0, 0, 0, 0], [0, 0, 0, -1]], "decision 'act' takes 0 to 2, found -1"),
        ([0.0, 1.0, 1.0, 2.0], "whole numbers, found dtype float64"),
        ([True, False, True, False], "whole numbers, found dtype bool"),
        (["0", "1", "1", "2"], "whole numbers"),
        ([0, 1, 1], r"4 numbers, one for each decision of 'test', found shape \(3,\)"),
        (0, r"found shape \(\)"),
        (np.zeros((1, 1, 4), dtype=int), r"found shape \(1, 1, 4\)"),
        (np.array([2**64 - 1, 0, 0, 0], dtype=np.uint64), "decision 'op' takes 0 to 2"),
    ],
)
def test_a_wrong_architecture_is_refused_with_what_is_wrong(archs: Any, expected: str) -> None:
    with pytest.raises(ArtifactError, match=expected) as caught:
        chained().check(archs)
    assert caught.value.exit_code == 3


def test_an_architecture_with_too_few_places_taken_is_refused() -> None:
    of = places(at_least=2)
    assert of.check([[0, 2, 0, 1], [0, 0, 0, 0]]).shape == (2, 4)
    with pytest.raises(ArtifactError, match="place_0 to place_2: 1 of them are not empty") as caught:
        of.check([[0, 0, 0, 0], [1, 2, 1, 2]])
    assert caught.value.why == "every architecture has at least 2"


@given(spaces(), st.integers(0, 2**32 - 1))
def test_check_accepts_what_lies_in_range_with_enough_places_taken_and_nothing_else(of: Space, seed: int) -> None:
    archs = np.random.default_rng(seed).integers(-1, 5, (8, len(of.decisions)))
    archs = np.concatenate([archs, archs % np.array(of.sizes)])
    for arch in archs:
        fits = all(0 <= i < size for i, size in zip(arch, of.sizes, strict=True))
        if fits and network_by_hand(of, arch.tolist()) is not None:
            assert of.check(arch).tolist() == [arch.tolist()]
        else:
            with pytest.raises(ArtifactError):
                of.check(arch)
