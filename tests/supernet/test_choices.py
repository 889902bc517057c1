from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from nascli.errors import UsageError
from nascli.space import Decision
from nascli.supernet.base import Supernet
from nascli.supernet.choices import choices_of, decisions_of
from nascli.supernet.mutables import InputChoice, LayerChoice, Repeat

from .helpers import NETWORKS, Scaled, X, architectures, calls, hanging, named, op, select, space_of, trained

# --- labels ----------------------------------------------------------------------------------------------------------


def test_choices_with_equal_labels_are_one_decision() -> None:
    network = nn.Sequential(op(label="x"), op(label="y"), op(label="x"))
    found = choices_of(network)
    assert {label: [place.choice for place in places] for label, places in found.items()} == {
        "x": [network[0], network[2]],
        "y": [network[1]],
    }
    assert decisions_of(network) == (Decision("x", ("0", "1")), Decision("y", ("0", "1")))


def test_choices_without_a_label_are_named_by_their_paths() -> None:
    inner = Repeat(lambda i: nn.Sequential(op()), (1, 2))
    network = named(stem=nn.Sequential(nn.Identity(), op()), body=op(inner, op()), tail=op(label="mine"))
    assert list(choices_of(network)) == [
        "stem.1",
        "body",
        "body.0",
        "body.0.blocks.0.0",
        "body.0.blocks.1.0",
        "body.1",
        "mine",
    ]
    assert inner.label == "body.0"
    assert network.get_submodule("body.0.blocks.1.0").label == "body.0.blocks.1.0"


def test_a_network_that_is_one_choice_has_a_name() -> None:
    assert list(choices_of(op(op(), nn.Sequential(op())))) == ["choice", "0", "1.0"]


def test_a_choice_at_two_places_is_one_decision_named_by_the_first() -> None:
    shared = op()
    network = named(a=nn.Sequential(shared), b=nn.Sequential(nn.Identity(), shared))
    assert {label: len(places) for label, places in choices_of(network).items()} == {"a.0": 2}


def test_names_stay_when_they_are_asked_again() -> None:
    network = named(a=op(), b=op(op()))
    first = decisions_of(network)
    assert decisions_of(network) == first
    assert decisions_of(Supernet(network)) == first


def test_a_choice_without_a_label_is_not_mixed_up_with_one_that_has_the_name_of_its_path() -> None:
    with pytest.raises(UsageError, match=r"the choice at 'b\.0' has no label, and another choice is called 'b\.0'"):
        choices_of(named(a=op(label="b.0"), b=nn.Sequential(op())))


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (op(None, None, None, label="x"), "differ: 0/1 of 1, 0/1/2 of 1"),
        (LayerChoice({"b": nn.Identity(), "a": nn.Identity()}, label="x"), "differ: 0/1 of 1, b/a of 1"),
        (InputChoice(2, label="x"), "differ: 0/1 of 1, 0/1 of None"),
        (Repeat(lambda i: nn.Identity(), (0, 1), label="x"), "differ"),
    ],
)
def test_choices_with_one_label_that_differ_are_refused(other: nn.Module, expected: str) -> None:
    with pytest.raises(UsageError, match="two choices are called 'x', but they " + expected):
        choices_of(nn.Sequential(op(label="x"), other))


@pytest.mark.parametrize("network", [nn.Identity(), nn.Sequential(nn.Linear(1, 1))])
def test_a_network_without_choices_is_refused(network: nn.Module) -> None:
    with pytest.raises(UsageError, match=f"{type(network).__name__} has nothing to search"):
        choices_of(network)


# --- nesting ---------------------------------------------------------------------------------------------------------


def test_a_choice_in_a_candidate_exists_where_the_candidate_is_chosen() -> None:
    network = op(op(label="in_0"), nn.Sequential(nn.Identity(), op(None, op(label="deep"), label="in_1")), label="out")
    assert hanging(network) == {
        "out": (),
        "in_0": (("out", (0,)),),
        "in_1": (("out", (1,)),),
        "deep": (("in_1", (1,)),),
    }


def test_a_choice_in_a_repeat_exists_for_the_depths_that_reach_its_block() -> None:
    network = Repeat([op(label=f"op_{i}") for i in range(4)], (2, 4), label="depth")
    found = {"depth": (), "op_0": (), "op_1": (), "op_2": (("depth", (1, 2)),), "op_3": (("depth", (2,)),)}
    assert hanging(network) == found


def test_a_choice_in_a_block_that_always_runs_hangs_on_what_the_repeat_hangs_on() -> None:
    inner = Repeat([op(label="op_0"), op(label="op_1")], (1, 2), label="depth")
    assert hanging(op(None, inner, label="out")) == {
        "out": (),
        "depth": (("out", (1,)),),
        "op_0": (("out", (1,)),),
        "op_1": (("depth", (1,)),),
    }


def test_the_places_of_a_choice_know_all_choices_around_them() -> None:
    network = op(None, Repeat([nn.Identity(), op(label="in")], (0, 2), label="depth"), label="out")
    (place,) = choices_of(network)["in"]
    assert place.conditions == (("out", (1,)), ("depth", (2,)))


def test_one_label_inside_two_parents_exists_where_either_chooses_it() -> None:
    network = nn.Sequential(op(op(label="in"), None, label="a"), op(None, op(label="in"), label="b"))
    assert hanging(network) == {"a": (), "b": (), "in": (("a", (0,)), ("b", (1,)))}


def test_one_label_in_several_candidates_exists_where_any_of_them_is_chosen() -> None:
    assert hanging(op(None, op(label="in"), op(label="in"), label="a"))["in"] == (("a", (1, 2)),)


def test_a_shared_module_exists_where_any_of_its_places_runs() -> None:
    shared = nn.Sequential(op(label="in"))
    network = nn.Sequential(op(shared, None, shared, label="a"), op(None, shared, label="b"))
    assert hanging(network)["in"] == (("a", (0, 2)), ("b", (1,)))


def test_a_choice_that_also_stands_outside_always_exists() -> None:
    network = nn.Sequential(op(op(label="in"), None, label="a"), op(label="in"))
    assert hanging(network)["in"] == ()


def test_a_decision_comes_behind_those_it_hangs_on() -> None:
    network = nn.Sequential(
        op(op(label="in"), None, label="first"), op(label="free"), op(op(label="in"), None, label="last")
    )
    assert list(hanging(network)) == ["first", "free", "last", "in"]


# --- what runs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", NETWORKS)
def test_every_decision_that_exists_is_asked_for(make: type[nn.Module]) -> None:
    """Without its selection a decision that exists cannot run."""
    network = trained(make)
    space = space_of(network)
    for arch in architectures(space)[::7]:
        forward = space.forward(arch)
        Supernet(network)(X, forward)
        for label in (label for label, selection in forward.items() if selection.active):
            rest = {name: selection for name, selection in forward.items() if name != label}
            with pytest.raises(UsageError, match=f"the forward selects nothing for '{label}'"):
                Supernet(network)(X, rest)


def test_decisions_of_a_network_are_those_of_a_space() -> None:
    for make in NETWORKS:
        space = space_of(make())
        archs = architectures(space)
        assert len(archs) == space.count
        assert np.array_equal(space.canonical(archs), archs)


def test_a_repeat_shares_the_first_blocks_between_depths() -> None:
    repeat = Repeat([Scaled(2.0), Scaled(3.0), Scaled(5.0)], (1, 3), label="depth")
    for index in range(3):
        with select(repeat, index):
            repeat(X)
    assert calls(repeat) == [3, 2, 1]
