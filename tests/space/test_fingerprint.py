from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from nascli.space import Decision, Space, Unordered

from .helpers import A, small, space, spaces

E = ("a", "b", "empty")


@given(spaces())
def test_a_description_gives_the_space_again(of: Space) -> None:
    again = Space.from_description(json.loads(json.dumps(of.describe())))
    assert again == of
    assert again.fingerprint == of.fingerprint


def rich() -> Space:
    """A space with something in every field."""
    return space(
        Decision("op", A),
        Decision("tail", ("a", "b"), 1, (("op", (0, 1)), ("op", (2,)))),
        *(Decision(label, E) for label in ("x", "y", "z")),
        details={"width": 16, "order": [1, 2]},
        unordered=(Unordered(("x", "y"), 2, 1),),
        tied=(("op", "z"),),
    )


def with_tail(**change: Any) -> dict[str, Any]:
    op, tail, *others = rich().decisions
    return {"decisions": (op, dataclasses.replace(tail, **change), *others)}


CHANGES: list[dict[str, Any]] = [
    {"name": "other"},
    {"input_shape": (3, 8, 9)},
    {"classes": 11},
    {"details": {"width": 17, "order": [1, 2]}},
    {"details": {"width": 16, "order": [2, 1]}},
    {"details": {}},
    {"decisions": rich().decisions[::4] + rich().decisions[2:4]},
    {"decisions": (*rich().decisions, Decision("more", A))},
    {"decisions": (rich().decisions[0], *rich().decisions[:0:-1])},
    with_tail(label="tale"),
    with_tail(candidates=("b", "a")),
    with_tail(candidates=("a", "c")),
    with_tail(n_chosen=2),
    with_tail(n_chosen=None),
    with_tail(nested=True),
    with_tail(active_if=()),
    with_tail(active_if=(("op", (0, 1)),)),
    with_tail(active_if=(("op", (0,)), ("op", (2,)))),
    {"unordered": ()},
    {"unordered": (Unordered(("x", "y"), 2, 0),)},
    {"unordered": (Unordered(("x", "z"), 2, 1),)},
    {"unordered": (Unordered(("x", "y", "z"), 2, 1),)},
    {"tied": ()},
    {"tied": (("op", "x"),)},
]


@pytest.mark.parametrize("change", CHANGES)
def test_the_fingerprint_changes_with_each_part(change: dict[str, Any]) -> None:
    assert dataclasses.replace(rich(), **change).fingerprint != rich().fingerprint


def test_each_change_gives_a_fingerprint_of_its_own() -> None:
    assert len({dataclasses.replace(rich(), **change).fingerprint for change in CHANGES}) == len(CHANGES)


def test_the_fingerprint_does_not_depend_on_the_order_of_keys() -> None:
    first = space(Decision("op", A), details={"a": 1, "b": {"c": 2, "d": 3}})
    again = space(Decision("op", A), details={"b": {"d": 3, "c": 2}, "a": 1})
    assert first.fingerprint == again.fingerprint


@given(small())
def test_the_fingerprint_does_not_depend_on_what_was_asked_before(of: Space) -> None:
    again = Space.from_description(of.describe())
    assert (again.count, len(again.groups), again.sizes) == (of.count, len(of.groups), of.sizes)
    again.forward([0] * len(again.sizes))
    assert again.fingerprint == dataclasses.replace(of).fingerprint


@pytest.mark.parametrize("hash_seed", ["1", "77"])
def test_the_fingerprint_is_the_same_in_every_process(hash_seed: str) -> None:
    code = "from tests.space.test_fingerprint import rich; print(rich().fingerprint)"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == rich().fingerprint


def test_the_fingerprint_is_the_one_of_the_first_release() -> None:
    assert rich().fingerprint == "aaebe422d9ad4815a817dbce95895a515ca6c48a4e8c74415f2bb8865acec30e"
