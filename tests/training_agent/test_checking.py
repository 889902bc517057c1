"""What a strategy or a criterion of one's own gives wrongly is told as such."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nascli.criterion.cross_entropy import CrossEntropy
from nascli.errors import ComponentError
from nascli.space import Selection
from nascli.training_agent.checking import built, checked, scalar, updates_of
from nascli.training_strategy.base import Pass, Update
from nascli.training_strategy.uniform import Uniform

OUTPUTS = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
LABELS = torch.arange(6) % 4
FORWARD = {"layer_00": Selection((1,))}


class Mine(Uniform):
    def __init__(self, answer: Callable[..., Any]) -> None:
        super().__init__()
        self.answer = answer

    def updates(self, step: int, rng: Any) -> Any:
        return self.answer(step, rng)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda step, rng: None, r"updates\(\) returned None, expected a generator"),
        (lambda step, rng: Update([Pass(None)]), r"updates\(\) returned an Update, expected a generator"),
        (lambda step, rng: [Update([Pass(None)])], r"updates\(\) returned a list, expected a generator"),
    ],
)
def test_updates_are_a_generator(answer: Callable[..., Any], message: str) -> None:
    with pytest.raises(ComponentError, match=f"the training strategy Mine: .*{message}"):
        updates_of(Mine(answer), 0, None)


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ([Pass(None)], "yielded a list, expected an Update"),
        (Update([]), "without passes: it would train nothing"),
        (None, "yielded None, expected an Update"),
        (Update([Pass(None)], split="valid"), "split='valid'"),  # type: ignore[arg-type]
        (Update([Pass(None)], params="alphas"), "params='alphas'"),  # type: ignore[arg-type]
        (Update([FORWARD]), "pass 0 is a dict, expected a Pass"),  # type: ignore[list-item]
        (Update([Pass(None), Pass([0, 1])]), "pass 1 runs a list, expected what a supernet runs"),  # type: ignore[arg-type]
        (Update([Pass({"layer_00": 1})]), "pass 0 runs a dict, expected"),  # type: ignore[dict-item]
        (Update([Pass(FORWARD, target=0)]), "pass 0 imitates 0"),
        (Update([Pass(FORWARD), Pass(FORWARD, target="teacher")]), "pass 1 imitates 'teacher'"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_run_is_refused_with_its_pass(update: Any, message: str) -> None:
    with pytest.raises(ComponentError, match=message) as caught:
        checked(Uniform(), update)
    assert caught.value.hint


def test_what_can_be_run_goes_through() -> None:
    for update in (Update([Pass(None), Pass(FORWARD, target=0)]), Update([], penalty=OUTPUTS.sum)):
        assert checked(Uniform(), update) is update


@pytest.mark.parametrize("module", [None, cross_entropy])
def test_a_criterion_builds_a_module(module: Any) -> None:
    class Mine(CrossEntropy):
        def build(self) -> nn.Module:
            return module  # type: ignore[no-any-return]

    with pytest.raises(ComponentError, match=r"the criterion Mine: build\(\) returned .*, expected a torch.nn.Module"):
        built(Mine(), 4, 4)


@pytest.mark.parametrize(
    ("loss", "message", "hint"),
    [
        (cross_entropy(OUTPUTS, LABELS, reduction="none"), r"a tensor of shape \(6,\)", "mean over the batch"),
        (cross_entropy(OUTPUTS, LABELS).detach(), "a number without a gradient", "detach"),
        (cross_entropy(OUTPUTS, LABELS).item(), "a float", "item"),
        (None, "None", "item"),
    ],
)
def test_a_loss_is_one_number_with_a_gradient(loss: Any, message: str, hint: str) -> None:
    with pytest.raises(ComponentError, match=f"the criterion's CrossEntropyLoss gave {message}, expected") as caught:
        scalar(loss, nn.CrossEntropyLoss(), OUTPUTS)
    assert hint in caught.value.hint


def test_a_right_loss_goes_through_and_needs_no_gradient_where_none_is_wanted() -> None:
    loss: Tensor = cross_entropy(OUTPUTS, LABELS)
    assert scalar(loss, nn.CrossEntropyLoss(), OUTPUTS) is loss
    assert scalar(loss.detach(), nn.CrossEntropyLoss(), OUTPUTS.detach()) is not None
    with torch.no_grad():
        assert scalar(loss.detach(), nn.CrossEntropyLoss(), OUTPUTS) is not None
