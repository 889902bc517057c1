"""What a training strategy and a criterion of one's own give the loop, checked where it arrives."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from nascli.criterion.base import Criterion
from nascli.errors import ComponentError
from nascli.space import Selection
from nascli.training_strategy.base import Pass, TrainingStrategy, Update, Updates
from nascli.users import example

SPLITS, PARAMS = ("train", "arch"), ("weights", "arch", None)
DETACHED = "no item(), detach() or no_grad() between outputs and loss"


def updates_of(strategy: TrainingStrategy, step: int, rng: Any) -> Updates:
    """The updates of one step; raises ComponentError where they are no generator."""
    found = strategy.updates(step, rng)
    if not isinstance(found, Generator):
        raise _wrong(strategy, f"updates() returned {_named(found)}, expected a generator", "write `yield Update([…])`")
    return found


def checked(strategy: TrainingStrategy, update: Update) -> Update:
    """An update as it was yielded; raises ComponentError where it is none, does nothing, or a pass cannot be run."""
    if not isinstance(update, Update):
        raise _wrong(strategy, f"updates() yielded {_named(update)}, expected an Update", "yield Update([Pass(…), …])")
    if update.split not in SPLITS or update.params not in PARAMS:
        what = f"updates() yielded an Update of split={update.split!r}, params={update.params!r}"
        raise _wrong(strategy, what, "split is 'train' or 'arch'; params is 'weights', 'arch' or None")
    if not update.passes and update.penalty is None:
        raise _wrong(strategy, "updates() yielded an Update without passes: it would train nothing", "")
    for position, item in enumerate(update.passes):
        _check(strategy, position, item)
    return update


def _check(strategy: TrainingStrategy, position: int, item: Pass) -> None:
    hint = "Pass(self.space.forward(path)), path one index a decision"
    if not isinstance(item, Pass):
        raise _wrong(strategy, f"pass {position} is {_named(item)}, expected a Pass", hint)
    forward = item.forward
    if forward is not None and not (
        isinstance(forward, Mapping) and all(isinstance(chosen, Selection) for chosen in forward.values())
    ):
        raise _wrong(strategy, f"pass {position} runs {_named(forward)}, expected what a supernet runs", hint)
    if item.target != "labels" and not (isinstance(item.target, int) and 0 <= item.target < position):
        raise _wrong(strategy, f"pass {position} imitates {item.target!r}", "a target is 'labels', or an earlier pass")


def built(criterion: Criterion, outputs: int, classes: int) -> nn.Module:
    """The module of a criterion; raises ComponentError where it makes none."""
    module: object = criterion.sized(outputs, classes)
    if isinstance(module, nn.Module):
        return module
    what = f"the criterion {type(criterion).__name__}: build() returned {_named(module)}, expected a torch.nn.Module"
    raise ComponentError(what, hint=example("criterion"))


def scalar(loss: object, criterion: nn.Module, output: Tensor) -> Tensor:
    """What a criterion made of an output; raises ComponentError unless it is one number with a gradient."""
    if isinstance(loss, Tensor) and loss.dim() == 0:
        if loss.requires_grad or not output.requires_grad or not torch.is_grad_enabled():
            return loss
        found, hint = "a number without a gradient", DETACHED
    elif isinstance(loss, Tensor):
        found, hint = _named(loss), "a loss is the mean over the batch: `return losses.mean()`"
    else:
        found, hint = _named(loss), DETACHED
    what = f"the criterion's {type(criterion).__name__} gave {found}, expected one number that can be differentiated"
    raise ComponentError(what, why=f"outputs had the shape {tuple(output.shape)}", hint=hint)


def _wrong(strategy: TrainingStrategy, what: str, hint: str) -> ComponentError:
    name = f"the training strategy {type(strategy).__name__}"
    return ComponentError(f"{name}: {what}", hint=hint or example("training_strategy"))


def _named(value: object) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
