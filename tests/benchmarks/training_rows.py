"""The timed rows of the training benchmark."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
from torch.nn.functional import cross_entropy

from nascli.supernet.base import Supernet
from nascli.training_agent.loop import Trainer
from nascli.training_strategy.fair import Fair
from tests.benchmarks.table import Found, Options, Row, at_least, at_most
from tests.benchmarks.training_work import (
    Given,
    NaiveMixture,
    PlainLoop,
    Singly,
    Still,
    drawn,
    give_momentum,
    step_of,
    strategy_of,
    trainer_of,
)

LARGE, SMALL = 64, 32  # images a step; the small one where all candidates run
PATHS = 3  # steps of a sampled form for each of the mixture: paths of one space differ in their cost


def _trainer(space: str, strategy: str, size: int, options: Options) -> Trainer:
    return trainer_of(space, strategy_of(strategy), options.batch or size, options)


def single_path(space: str, options: Options) -> Found:
    """A step of the trainer against a loop over the same blocks in an `nn.Sequential`."""
    trainer = _trainer(space, "uniform", LARGE, options)
    return at_most(options.compare(step_of(trainer), PlainLoop(trainer)), 1.10)


def optimiser(keep: bool, options: Options) -> Found:
    """Optimiser step and zero_grad after a path, against torch's SGD over all weights.

    Args:
        keep: whether the other one keeps gradients as zeros; else it drops them, as torch does unless told otherwise.
    """
    trainer = _trainer("fbnet_s", "uniform", SMALL, options)
    ours, theirs = trainer.module, copy.deepcopy(trainer.module)
    path = drawn(trainer, 0)
    own, updater = trainer.updater.optimizers["weights"], trainer.updater
    updater.clip_grad = None
    group = own.param_groups[0]
    told = {name: group[name] for name in ("lr", "momentum", "nesterov", "weight_decay")}
    default = torch.optim.SGD(theirs.parameters(), **told)

    def backward(module: torch.nn.Module) -> list[tuple[torch.nn.Parameter, torch.Tensor]]:
        batch = trainer.streams["train"].next()
        cross_entropy(module(batch.images, path), batch.labels).backward()
        return [(p, p.grad) for p in module.parameters() if p.grad is not None]

    kept, dropped = backward(theirs), backward(ours)
    if keep:
        for p in theirs.parameters():
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad

    def usual() -> None:
        for p, gradient in () if keep else kept:
            p.grad = gradient
        default.step()
        default.zero_grad(set_to_none=not keep)

    def active() -> None:
        for p, gradient in dropped:
            p.grad = gradient
        updater._step(own)
        own.zero_grad(set_to_none=True)

    found = options.compare(usual, active)
    return at_least(found, 5.0) if keep else Found(str(found))


def layout(space: str, options: Options) -> Found:
    """The same steps in the usual layout and in channels_last."""
    usual, last = (_trainer(space, "uniform", LARGE, options) for _ in range(2))
    usual.module.to(memory_format=torch.contiguous_format)
    give_momentum(usual.updater.optimizers["weights"])
    batch = usual.streams["train"].next()
    cast(Still, usual.streams["train"]).batch = batch._replace(images=batch.images.contiguous())
    return at_least(options.compare(step_of(usual), step_of(last)), 1.0)


def mixture(options: Options) -> Found:
    """A weight step of all candidates: the sum as one writes it, against the trainer's."""
    differentiable = _trainer("proxylessnas", "softmax", SMALL, options)
    forward = drawn(differentiable, 0)
    trainer = trainer_of("proxylessnas", Given(), options.batch or SMALL, options)
    cast(Given, trainer.strategy).forward = forward
    weights = {label: item.weights.detach() for label, item in forward.items() if item.weights is not None}
    batch = trainer.streams["train"].next()
    images = batch.images.contiguous()
    naive = NaiveMixture(cast(Supernet, trainer.module), trainer.strategy.space, weights)
    group = trainer.updater.optimizers["weights"].param_groups[0]
    told = {name: group[name] for name in ("lr", "momentum", "nesterov", "weight_decay", "fused")}
    optimizer = torch.optim.SGD(naive.parameters(), **told)

    def by_hand() -> None:
        optimizer.zero_grad()
        cross_entropy(naive(images), batch.labels).backward()
        torch.nn.utils.clip_grad_norm_(naive.parameters(), 5.0)
        optimizer.step()

    return at_least(options.compare(by_hand, step_of(trainer)), 1.3)


def against_mixture(form: str, wanted: float, options: Options) -> Found:
    """A whole step, weights and architecture: the mixture of all candidates against a sampled form."""
    mixed, sampled = (_trainer("proxylessnas", name, SMALL, options) for name in ("softmax", form))
    return at_least(options.compare(step_of(mixed), step_of(sampled), PATHS), wanted)


def whole_step(form: str, options: Options) -> Found:
    """Images a second of weight and architecture steps, as a share of single-path training's."""
    single, both = (_trainer("spos", name, LARGE, options) for name in ("uniform", form))
    return at_least(options.compare(step_of(single), step_of(both)), 0.40)


def fair(options: Options) -> Found:
    """The m paths in one update against m updates of one path each."""
    together, apart = (trainer_of("spos", kind(), options.batch or SMALL, options) for kind in (Fair, Singly))
    return at_most(options.compare(step_of(together), step_of(apart)), 1.10)


def _row(name: str, what: str, wanted: str, measure: Callable[..., Found], *told: Any) -> Row:
    return Row(name, what, wanted, partial(measure, *told))


ROWS = (
    _row("single_path", "spos, a step : plain nn.Sequential loop", "<= 1.10", single_path, "spos"),
    _row("single_path_fbnet", "fbnet_s, the same", "<= 1.10", single_path, "fbnet_s"),
    _row("optimiser", "fbnet_s, SGD step + zero_grad over all weights : the active path", ">= 5", optimiser, True),
    _row("optimiser_none", "the same : torch's SGD with gradients set to None", "", optimiser, False),
    *(
        _row(f"layout_{space}", f"{space}, a step, NCHW : channels_last", "> 1", layout, space)
        for space in ("fbnet_s", "proxylessnas", "spos")
    ),
    _row("mixture", "proxylessnas, weight step, naive NCHW sum : softmax mixture", ">= 1.3", mixture),
    _row("gdas", "proxylessnas, full step, softmax mixture : gdas", ">= 6", against_mixture, "gdas", 6.0),
    _row(
        "proxyless", "proxylessnas, full step, softmax mixture : proxyless", ">= 3", against_mixture, "proxyless", 3.0
    ),
    _row("gdas_images", "spos, images/s of a full gdas step / of single-path training", ">= 0.40", whole_step, "gdas"),
    _row("proxyless_images", "spos, the same for proxyless", ">= 0.40", whole_step, "proxyless"),
    _row("fair", "spos, m paths in one update : m single-path steps", "<= 1.10", fair),
)
