from __future__ import annotations

from threading import Thread
from typing import Any

import pytest
import torch
from torch import nn

from nascli.errors import UsageError
from nascli.space import Selection
from nascli.supernet.mutables import InputChoice, LayerChoice, Repeat
from nascli.supernet.scope import chooser_of, choosing
from nascli.supernet.selected import Selected

from .helpers import FACTORS, Scaled, X, layer


class Picked(Selected):
    """Always takes one candidate."""

    def __init__(self, i: int) -> None:
        super().__init__({})
        self.i = i

    def of(self, choice: Any) -> Selection:
        return Selection((self.i,))


class Bound(nn.Module):
    """A chooser that is a module, holds the network, and is empty."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.logits = network, nn.Parameter(torch.zeros(4))

    def __len__(self) -> int:
        return 0

    def on_forward_layer_choice(self, choice: LayerChoice, *args: Any, **kwargs: Any) -> Any:
        return choice[3](*args, **kwargs)


def taken(choice: LayerChoice) -> int:
    """Which candidate runs."""
    output = choice(X)
    return next(i for i, factor in enumerate(FACTORS) if torch.equal(output, factor * X))


@pytest.mark.parametrize(
    "choice", [layer(label="op"), InputChoice(1, label="op"), Repeat([Scaled(2)], (0, 1), key="op")]
)
def test_a_choice_that_nobody_chooses_for_is_an_error(choice: Any) -> None:
    with pytest.raises(UsageError, match="choice 'op' was called, but nothing has been chosen for it") as caught:
        choice([X])
    assert "mutator" in caught.value.hint


def test_a_choice_without_a_label_is_called_by_its_class() -> None:
    with pytest.raises(UsageError, match="choice 'LayerChoice' was called"):
        layer()(X)


def test_the_choosers_are_called_for_each_kind_of_choice() -> None:
    class Told:
        """Says what it was called with."""

        def on_forward_layer_choice(self, choice: LayerChoice, *args: Any, **kwargs: Any) -> Any:
            return "layer", choice, args, kwargs

        def on_forward_input_choice(self, choice: InputChoice, tensors: Any) -> Any:
            return "input", choice, tensors

        def on_forward_repeat(self, choice: Repeat, x: Any) -> Any:
            return "repeat", choice, x

    one, two, three = layer(), InputChoice(2), Repeat([Scaled(2)], (0, 1))
    with choosing(Told()):
        assert one(1, b=2) == ("layer", one, (1,), {"b": 2})
        assert two((X, None)) == ("input", two, [X, None])
        assert three(3) == ("repeat", three, 3)


def test_a_choice_runs_by_its_own_chooser_where_nothing_else_chooses() -> None:
    choice = layer()
    choice.chooser = Picked(1)
    assert taken(choice) == 1


def test_a_block_chooses_before_the_choices_own_chooser() -> None:
    choice = layer()
    choice.chooser = Picked(1)
    with choosing(Picked(2)):
        assert taken(choice) == 2
    assert taken(choice) == 1


def test_the_innermost_block_chooses() -> None:
    choice, outer, inner = layer(), Picked(0), Picked(3)
    with choosing(outer):
        with choosing(inner):
            assert chooser_of(choice) is inner
            assert taken(choice) == 3
        assert chooser_of(choice) is outer
        assert taken(choice) == 0


def test_an_exception_ends_the_block() -> None:
    choice, outer = layer(), Picked(0)

    def fail() -> None:
        with choosing(Picked(1)):
            raise RuntimeError

    with choosing(outer):
        with pytest.raises(RuntimeError):
            fail()
        assert chooser_of(choice) is outer
    with pytest.raises(UsageError, match="nothing has been chosen"):
        chooser_of(choice)


def test_a_block_does_not_choose_in_other_threads() -> None:
    choice, found = layer(), list[int]()
    choice.chooser = Picked(1)
    with choosing(Picked(2)):
        thread = Thread(target=lambda: found.append(taken(choice)))
        thread.start()
        thread.join()
    assert found == [1]


def test_a_chooser_that_is_a_module_is_no_part_of_the_choice() -> None:
    network = nn.Sequential(layer())
    before = list(network.state_dict())
    network[0].chooser = Bound(network)
    assert list(network.state_dict()) == before
    assert len(list(network.modules())) == 2 + len(FACTORS)
    assert network.train().training
    assert taken(network[0]) == 3


def test_an_empty_chooser_chooses() -> None:
    choice = layer()
    choice.chooser = Picked(1)
    with choosing(Bound(nn.Identity())):
        assert taken(choice) == 3
