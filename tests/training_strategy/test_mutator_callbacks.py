"""Mutators that run choices their own way."""

from __future__ import annotations

from typing import Any

import pytest
from torch import Tensor, nn

from nascli.errors import UsageError
from nascli.supernet.mutables import InputChoice, LayerChoice, Repeat
from nascli.training_strategy.mutator import BaseMutator

from .networks import ONE, Net, Told


class Watching(BaseMutator):
    """Runs choices its own way, and notes what they were called with."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.calls: list[Any] = []

    def on_forward_layer_choice(self, mutable: LayerChoice, *args: Any, **kwargs: Any) -> Any:
        self.calls.append((mutable.key, args, kwargs))
        return 10 * args[0]

    def on_forward_input_choice(self, mutable: InputChoice, tensors: list[Tensor | None]) -> Any:
        self.calls.append((mutable.key, len(tensors)))
        return tensors[1]

    def on_forward_repeat(self, mutable: Repeat, x: Any) -> Any:
        self.calls.append((mutable.key, x))
        return -x


def test_callbacks_run_the_choices_of_a_plain_call() -> None:
    model = Net()
    mutator = Watching(model)
    assert model(ONE)[0, 0].item() == -100
    assert [call[0] for call in mutator.calls] == ["a", "a", "b", "c"]
    model.first(ONE, 3, scale=2)
    assert mutator.calls[-1] == ("a", (ONE, 3), {"scale": 2})


@pytest.mark.parametrize(("attribute", "callback"), [("first", "layer"), ("inputs", "input"), ("depth", "repeat")])
def test_a_callback_that_is_missing_is_named(attribute: str, callback: str) -> None:
    model = Net()
    BaseMutator(model)
    with pytest.raises(UsageError, match="BaseMutator does not say how to run") as caught:
        getattr(model, attribute)([ONE, ONE] if callback == "input" else ONE)
    assert caught.value.hint.startswith(f"override on_forward_{callback}")


def test_a_mutator_may_override_how_one_kind_of_choice_runs() -> None:
    class Doubled(Told):
        def on_forward_input_choice(self, mutable: InputChoice, tensors: list[Tensor | None]) -> Any:
            return 2 * super().on_forward_input_choice(mutable, tensors)

    model = Net()
    Doubled(model).reset()
    assert model(ONE)[0, 0].item() == 2 * 26 * 49
