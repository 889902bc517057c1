"""Modules that take the place of choices."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nascli.errors import UsageError
from nascli.supernet.mutables import InputChoice, LayerChoice
from nascli.training_agent.one_shot import replace_input_choice, replace_layer_choice

from .one_shot_trainers import DartsLayerChoice, layers, net


def test_replacing_names_the_new_modules_by_label_in_order() -> None:
    model = nn.Sequential(layers(3, 3, label="b"), nn.Sequential(layers(3, 3, label="a")), layers(3, 3, label="b"))
    given: list[tuple[str, nn.Module]] = [("before", model)]
    pairs = replace_layer_choice(model, DartsLayerChoice, given)
    assert pairs is given
    assert [label for label, _ in pairs] == ["before", "b", "a", "b"]
    assert [module for _, module in pairs[1:]] == [model[0], model[1][0], model[2]]
    assert model[0] is not model[2]
    assert model(torch.rand(2, 3)).shape == (2, 3)


def test_a_new_list_is_returned_where_none_is_given() -> None:
    assert [label for label, _ in replace_layer_choice(net(), DartsLayerChoice)] == ["a", "b"]


def test_choices_without_a_label_have_their_place_for_a_label() -> None:
    model = nn.Sequential(nn.Identity(), layers(3, 3))
    assert [label for label, _ in replace_layer_choice(model, DartsLayerChoice)] == ["1"]


def test_choices_inside_candidates_are_replaced_after_the_one_around_them() -> None:
    inner = layers(3, 3, label="inner")
    model = nn.Sequential(LayerChoice([nn.Sequential(inner), inner, nn.Linear(3, 3)], label="outer"))
    pairs = replace_layer_choice(model, DartsLayerChoice)
    assert [label for label, _ in pairs] == ["outer", "inner"]
    assert not any(isinstance(module, LayerChoice) for module in model.modules())
    assert model[0].op_choices["0"][0] is model[0].op_choices["1"]
    model(torch.rand(2, 3)).sum().backward()
    assert pairs[1][1].alpha.grad is not None


class Holding(nn.Module):
    """Keeps the choice that it replaces."""

    def __init__(self, choice: LayerChoice) -> None:
        super().__init__()
        self.choice = choice

    def forward(self, x: Tensor) -> Any:
        return self.choice[0](x)


def test_a_module_may_keep_the_choice_that_it_replaces() -> None:
    shared = nn.Sequential(LayerChoice([nn.Sequential(layers(3, 3, label="inner"))], label="outer"))
    model = nn.Sequential(shared, shared)
    pairs = replace_layer_choice(model, Holding)
    assert [label for label, _ in pairs] == ["outer", "inner"]
    assert isinstance(model[0][0].choice, LayerChoice)
    assert isinstance(model[0][0].choice[0][0], Holding)
    assert model(torch.rand(2, 3)).shape == (2, 3)


def test_one_choice_in_two_places_is_one_module() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = self.b = layers(3, 3, label="x")

    model = Twice()
    assert len(replace_layer_choice(model, DartsLayerChoice)) == 1
    assert model.a is model.b
    assert isinstance(model.a, DartsLayerChoice)


class Mean(nn.Module):
    def __init__(self, choice: InputChoice) -> None:
        super().__init__()
        self.n = choice.n_candidates

    def forward(self, tensors: Any) -> Any:
        return sum(tensors) / self.n


class Mixed(nn.Module):
    """A choice of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.inputs = layers(3, 3), InputChoice(2)

    def forward(self, x: Tensor) -> Any:
        return self.inputs([x, self.layer(x)])


def test_input_choices_and_layer_choices_are_replaced_apart() -> None:
    model = Mixed()
    assert [label for label, _ in replace_input_choice(model, Mean)] == ["inputs"]
    assert isinstance(model.layer, LayerChoice)
    assert [label for label, _ in replace_layer_choice(model, DartsLayerChoice)] == ["layer"]
    assert model(torch.ones(2, 3)).shape == (2, 3)
    assert replace_input_choice(model, Mean) == []


def test_a_model_that_is_a_choice_itself_cannot_be_replaced() -> None:
    with pytest.raises(UsageError, match="the model is a LayerChoice itself"):
        replace_layer_choice(layers(3, 3), DartsLayerChoice)


def test_what_is_no_module_replaces_nothing() -> None:
    with pytest.raises(UsageError, match="a module takes the place of choice 'a', found tuple"):
        replace_layer_choice(net(), lambda choice: tuple(choice.named_children()))  # type: ignore[arg-type, return-value]
