"""Input choices that name other choices."""

from __future__ import annotations

from typing import Any

import pytest
from torch import Tensor, nn

from nascli.errors import UsageError
from nascli.supernet.base import Supernet
from nascli.supernet.choices import decisions_of
from nascli.supernet.mutables import InputChoice, Repeat

from .helpers import Dense, X, architectures, calls, hanging, indices, layer, named, op, space_of


def linked(**options: Any) -> nn.Module:
    """`join` names the choices `left` and `right`."""
    join = InputChoice(choose_from=["left", "x", "right"], label="join", **options)
    return named(left=op(label="left"), right=Repeat(lambda i: op(), (0, 1), label="right"), join=join)


@pytest.mark.parametrize(
    ("n_chosen", "left", "right"),
    [(1, (0,), (2,)), (2, (0, 1), (1, 2)), (3, (0,), (0,)), (None, (0, 3, 4, 6), (2, 4, 5, 6))],
)
def test_a_named_choice_exists_where_its_output_is_taken(
    n_chosen: int | None, left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    found = hanging(linked(n_chosen=n_chosen))
    assert found == {
        "join": (),
        "left": (("join", left),),
        "right": (("join", right),),
        "right.blocks.0": (("right", (1,)),),
    }


def test_a_choice_named_by_several_exists_where_any_takes_it() -> None:
    joins = {f"join_{i}": InputChoice(choose_from=["x", "op"], n_chosen=1, label=f"join_{i}") for i in range(2)}
    assert hanging(named(op=op(label="op"), **joins))["op"] == (("join_0", (1,)), ("join_1", (1,)))


def test_counted_inputs_name_no_choice() -> None:
    class Net(nn.Sequential):
        """Its first choices are called "0" and "1", as the inputs of the last one are."""

    assert hanging(Net(op(), op(), InputChoice(2))) == {"0": (), "1": (), "2": ()}


def test_inputs_may_name_the_choice_itself_and_what_is_no_choice() -> None:
    assert hanging(InputChoice(choose_from=["join", "x"], label="join")) == {"join": ()}


def test_a_choice_named_from_outside_its_parent_is_refused() -> None:
    join = InputChoice(choose_from=["in", "x"], label="join")
    with pytest.raises(UsageError, match="input choice 'join' names 'in', which stands inside another choice than it"):
        decisions_of(named(out=op(op(label="in"), None), join=join))


def test_a_choice_named_inside_its_own_parent_hangs_on_the_input_choice() -> None:
    inner = named(op=op(label="in"), join=InputChoice(choose_from=["in", "x"], n_chosen=1, label="join"))
    assert hanging(op(inner, None, label="out")) == {"out": (), "join": (("out", (0,)),), "in": (("join", (0,)),)}


def test_choices_that_name_each_other_are_refused() -> None:
    joins = {a: InputChoice(choose_from=[b, "x"], label=a) for a, b in (("a", "b"), ("b", "c"), ("c", "a"))}
    with pytest.raises(UsageError, match="the choices a, b, c hang on each other in a circle"):
        decisions_of(named(free=op(), **joins))


def test_a_choice_that_is_not_taken_does_not_run() -> None:
    class Net(nn.Module):
        """Takes one of two layers, or neither."""

        def __init__(self) -> None:
            super().__init__()
            self.left, self.right = layer(label="left"), layer(label="right")
            self.join = InputChoice(choose_from=["left", "right", "x"], label="join")

        def forward(self, x: Tensor) -> Tensor:
            return self.join([self.left(x), self.right(x), x])

    space = space_of(Net())
    assert space.count == 4 + 4 + 1 + 16 + 4 + 4 + 16
    for arch in architectures(space):
        network, chosen = Net(), indices(space, arch)
        Supernet(network)(X, space.forward(arch))
        left, right = ([int(i == chosen[label]) for i in range(4)] for label in ("left", "right"))
        assert calls(network) == [*left, *right]


def test_a_node_that_none_takes_does_not_exist() -> None:
    space = space_of(Dense())
    taken_alone = 2 + 2 + (2 + 1 + 2)  # op_1, op_2, second with op_0, x or both
    pairs = 2 * 2 + 2 * (2 + 1 + 2) * 2  # op_1 and op_2, either of them and second
    assert space.count == taken_alone + pairs + 2 * 2 * (2 + 1 + 2)
