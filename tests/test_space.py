from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nascli.errors import ArtifactError, UsageError
from nascli.space import Decision, Space, compact

A = ("a", "b", "c")


def space(*decisions: Decision, **fields: Any) -> Space:
    return Space("test", decisions, **{"input_shape": (3, 8, 8), "classes": 10, **fields})


def nested() -> Space:
    """`width` exists where `op` is 1 or 2, and `act` where `width` exists and is 1; `tail` is free."""
    return space(
        Decision("op", A),
        Decision("width", ("narrow", "wide"), active_if=("op", (1, 2))),
        Decision("tail", ("none", "pool")),
        Decision("act", A, active_if=("width", (1,))),
    )


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """Up to five decisions, single and subset ones, each perhaps nested in an earlier one."""
    decisions: list[Decision] = []
    for i in range(draw(st.integers(1, 5))):
        n = draw(st.integers(1, 3))
        active_if = None
        if decisions and draw(st.booleans()):
            parent = draw(st.sampled_from(decisions))
            active_if = (parent.label, tuple(draw(st.lists(st.integers(0, parent.size - 1), unique=True))))
        n_chosen = draw(st.sampled_from([1, 1, None, n]))
        decisions.append(Decision(f"d{i}", tuple("xyz"[:n]), n_chosen, active_if))
    return space(*decisions)


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
        ((Decision("op", A, active_if=("gone", (0,))),), "decision 'op' hangs on 'gone'"),
        ((Decision("op", A, active_if=("op", (0,))),), "decision 'op' hangs on 'op'"),
        ((Decision("x", A, active_if=("y", (0,))), Decision("y", A)), "decision 'x' hangs on 'y'"),
        ((Decision("x", A), Decision("y", A, active_if=("x", (3,)))), "decision 'y' hangs on 'x'"),
        ((Decision("x", A), Decision("y", A, active_if=("x", (-1,)))), "decision 'y' hangs on 'x'"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(decisions: tuple[Decision, ...], expected: str) -> None:
    with pytest.raises(UsageError, match=expected) as caught:
        space(*decisions)
    assert caught.value.exit_code == 2
    assert "'test'" in caught.value.what


def test_nested_decisions_with_too_many_joint_states_are_refused_by_name() -> None:
    wide = tuple(map(str, range(1000)))
    chain = [Decision(f"d{i}", wide, active_if=(f"d{i - 1}", (0,)) if i else None) for i in range(4)]
    with pytest.raises(UsageError, match="d0, d1, d2, d3 have too many joint states"):
        _ = space(*chain).groups


# --- subsets ---------------------------------------------------------------------------------------------------------


@given(st.integers(1, 7), st.data())
def test_the_indices_of_a_decision_are_its_subsets_by_size_then_in_order(n: int, data: st.DataObject) -> None:
    k = data.draw(st.none() | st.integers(1, n))
    decision = Decision("pick", tuple("abcdefg"[:n]), k)
    chosen = [decision.chosen(i) for i in range(decision.size)]
    expected = [s for size in ([k] if k else range(1, n + 1)) for s in combinations(range(n), size)]
    assert chosen == expected


def test_a_subset_is_named_by_its_candidates() -> None:
    assert [Decision("pick", A, 2).name(i) for i in range(3)] == ["a+b", "a+c", "b+c"]
    assert Decision("pick", A, None).name(6) == "a+b+c"


def test_a_large_single_choice_makes_no_list_of_subsets() -> None:
    decision = Decision("pick", tuple(map(str, range(2**20))))
    assert (decision.size, decision.chosen(2**20 - 1)) == (2**20, (2**20 - 1,))


def test_a_forward_runs_the_chosen_candidates_without_weights() -> None:
    forward = space(Decision("op", A), Decision("in", A, 2)).forward([2, 1])
    assert {label: (s.active, s.weights) for label, s in forward.items()} == {"op": ((2,), None), "in": ((0, 2), None)}


def test_a_forward_of_a_vector_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        nested().forward([0, 0])


def test_names_say_what_each_decision_chose() -> None:
    assert list(nested().names([1, 1, 0, 2])) == [("op", "b"), ("width", "wide"), ("tail", "none"), ("act", "c")]
    assert compact(np.array([0, 2, 1])) == "0,2,1"


# --- fingerprint and description -------------------------------------------------------------------------------------


@given(spaces())
def test_a_description_gives_the_space_again(of: Space) -> None:
    again = Space.from_description(json.loads(json.dumps(of.describe())))
    assert again == of
    assert again.fingerprint == of.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"input_shape": (3, 8, 9)},
        {"classes": 11},
        {"details": {"width": 17, "order": [1, 2]}},
        {"details": {"width": 16, "order": [2, 1]}},
        {"decisions": (Decision("op", A),)},
        {"decisions": (Decision("op", A), Decision("tail", ("b", "a")))},
        {"decisions": (Decision("op", A), Decision("tail", ("a", "b"), 2))},
        {"decisions": (Decision("op", A), Decision("tail", ("a", "b"), None))},
        {"decisions": (Decision("op", A), Decision("tail", ("a", "b"), active_if=("op", (1,))))},
        {"decisions": (Decision("tail", ("a", "b")), Decision("op", A))},
    ],
)
def test_the_fingerprint_changes_with_each_field(change: dict[str, Any]) -> None:
    of = space(Decision("op", A), Decision("tail", ("a", "b")), details={"width": 16, "order": [1, 2]})
    assert dataclasses.replace(of, **change).fingerprint != of.fingerprint


def test_the_fingerprint_does_not_depend_on_the_order_of_keys() -> None:
    first = space(Decision("op", A), details={"a": 1, "b": {"c": 2, "d": 3}})
    again = space(Decision("op", A), details={"b": {"d": 3, "c": 2}, "a": 1})
    assert first.fingerprint == again.fingerprint


@pytest.mark.parametrize("hash_seed", ["1", "77"])
def test_the_fingerprint_is_the_same_in_every_process(hash_seed: str) -> None:
    code = "from tests.test_space import nested; print(nested().fingerprint)"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    root = Path(__file__).parents[1]
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == nested().fingerprint
    assert nested().fingerprint == "95f08205ab254cf8ad1e5ea8b5625e512f41423ae2c423ea0ea8bbe730bd2883"


# --- check -----------------------------------------------------------------------------------------------------------


def test_good_architectures_come_back_as_rows_of_int64() -> None:
    one, two = nested().check([0, 1, 1, 2]), nested().check(np.zeros((2, 4), dtype=np.uint8))
    assert (one.tolist(), one.dtype) == ([[0, 1, 1, 2]], np.int64)
    assert (two.shape, two.dtype) == ((2, 4), np.int64)


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
        nested().check(archs)
    assert caught.value.exit_code == 3


@given(spaces(), st.integers(0, 2**32 - 1))
def test_check_accepts_what_lies_in_range_and_nothing_else(of: Space, seed: int) -> None:
    archs = np.random.default_rng(seed).integers(-1, 5, (8, len(of.decisions)))
    for arch in archs:
        if all(0 <= i < size for i, size in zip(arch, of.sizes, strict=True)):
            assert of.check(arch).tolist() == [arch.tolist()]
        else:
            with pytest.raises(ArtifactError):
                of.check(arch)
