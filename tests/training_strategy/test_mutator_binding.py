"""A mutator and its model, for life."""

from __future__ import annotations

import io
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nascli.errors import UsageError
from nascli.supernet.mutables import LayerChoice
from nascli.training_strategy.mutator import RandomMutator

from .networks import ONE, SAMPLE, Net, Scale, Told


def test_the_model_is_no_part_of_the_mutator_and_the_mutator_none_of_the_model() -> None:
    class Trainable(Told):
        def __init__(self, model: nn.Module) -> None:
            super().__init__(model)
            self.alpha = nn.Parameter(torch.zeros(3))

    model = Net()
    names = list(model.state_dict())
    mutator = Trainable(model)
    mutator.reset()
    assert list(mutator.state_dict()) == ["alpha"]
    assert list(model.state_dict()) == names
    assert mutator not in set(model.modules())


def test_a_second_mutator_for_a_model_is_refused_by_both_names() -> None:
    model = Net()
    Told(model)
    with pytest.raises(UsageError, match=r"RandomMutator cannot be bound to Net: its choice 'a' is bound to Told"):
        RandomMutator(model)


def test_a_part_of_a_bound_model_is_refused() -> None:
    model = Net()
    Told(model)
    with pytest.raises(UsageError, match="is bound to Told"):
        Told(nn.Sequential(model.depth))


def test_a_refused_mutator_leaves_the_other_choices_free() -> None:
    bound, free = (LayerChoice([Scale(2.0)], label=label) for label in "ab")
    Told(nn.Sequential(bound))
    with pytest.raises(UsageError, match="is bound to Told"):
        Told(nn.Sequential(free, bound))
    assert free.chooser is None


@pytest.mark.parametrize(
    "rebind", [lambda m: setattr(m, "model", nn.Linear(1, 1)), lambda m: m.__init__(nn.Linear(1, 1))]
)
def test_a_mutator_cannot_be_bound_anew(rebind: Any) -> None:
    mutator = Told(Net())
    with pytest.raises(UsageError, match="Told is bound to Net and cannot be bound to Linear"):
        rebind(mutator)


def test_setting_the_model_that_a_mutator_has_changes_nothing() -> None:
    model = Net()
    mutator = Told(model)
    mutator.model = model
    assert list(mutator.modules()) == [mutator]
    assert mutator.model is model


def test_a_model_without_choices_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to search"):
        Told(nn.Linear(1, 1))


def test_a_model_can_be_copied_while_it_runs_weights_with_a_gradient() -> None:
    class Weighing(Told):
        def __init__(self, model: nn.Module) -> None:
            super().__init__(model)
            self.alpha = nn.Parameter(torch.ones(3))

        def sample_search(self) -> dict[str, Tensor]:
            return {**SAMPLE, "a": self.alpha.softmax(0)}

    model = Net()
    Weighing(model).reset()
    copy = deepcopy(model)
    assert torch.equal(copy(ONE), model(ONE))
    assert copy.first.chooser is not model.first.chooser
    assert copy.first.chooser.model is copy


def test_a_bound_model_can_be_saved_whole() -> None:
    model, buffer = Net(), io.BytesIO()
    RandomMutator(model, seed=0).reset()
    torch.save(model, buffer)
    buffer.seek(0)
    assert torch.equal(torch.load(buffer, weights_only=False)(ONE), model(ONE))
