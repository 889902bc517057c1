"""The counted rows of the training benchmark; tests hold the same counts on a small space."""

from __future__ import annotations

from collections import Counter
from functools import partial

from torch import Tensor

from nascli.training_agent.loop import Trainer
from nascli.training_strategy.base import Pass, Update
from tests.benchmarks.counting import operations
from tests.benchmarks.table import Found, Options, Row, exactly
from tests.benchmarks.training_work import PlainLoop, drawn, strategy_of, trainer_of

FEW = 4  # images: counts do not depend on them


def operations_beside(trainer: Trainer) -> tuple[Counter[str], int]:
    """The operations of a single-path update that the same blocks in a row do not have, and how many those have.

    What judges the outputs for the log is left out.
    """
    loop, batch = PlainLoop(trainer, 2), trainer.streams["train"].next()
    outputs = trainer.module(batch.images, drawn(trainer, 0)).detach()
    judging = operations(partial(_judge, trainer, outputs, batch.labels)).counts
    update = Update([Pass(drawn(trainer, 0))])
    ours, plain = operations(lambda: trainer.updater.run(update, batch)).counts, operations(loop).counts
    return ours - judging - plain, plain.total()


def _judge(trainer: Trainer, outputs: Tensor, labels: Tensor) -> Tensor:
    return trainer.updater.agent.judge(outputs, labels)[0].mean()


def updated(trainer: Trainer) -> tuple[int, int, int]:
    """How many tensors the optimiser updates in a step that are on its path and that are not; and all there are."""
    path = drawn(trainer, 0)
    found = operations(lambda: trainer.updater.run(Update([Pass(path)]), trainer.streams["train"].next())).updated
    beginnings = ("network.first.", "network.last.", *_candidates(trainer, path))
    on = {id(p) for name, p in trainer.module.named_parameters() if name.startswith(beginnings)}
    return sum(id(p) in on for p in found), sum(id(p) not in on for p in found), len(list(trainer.module.parameters()))


def _candidates(trainer: Trainer, path: object) -> list[str]:
    assert isinstance(path, dict)
    decisions = trainer.strategy.space.decisions
    return [f"network.layers.{d.label}.{d.candidates[path[d.label].active[0]]}." for d in decisions]


def weight_gradients(trainer: Trainer) -> tuple[int, int]:
    """Convolutions whose backward computes a gradient of the weight: in an architecture step, in a weight step."""
    steps = trainer.strategy.updates(0, trainer.run.rng("path", 0))
    batch = trainer.streams["train"].next()
    counts = [operations(partial(trainer.updater.run, update, batch)).weight_gradients for update in steps]
    return counts[0], counts[1]


def optimiser_steps(trainer: Trainer) -> tuple[int, int]:
    """How often the optimiser steps in an update, and the passes of that update."""
    update, optimizer = (
        next(trainer.strategy.updates(0, trainer.run.rng("path", 0))),
        trainer.updater.optimizers["weights"],
    )
    found = operations(lambda: trainer.updater.run(update, trainer.streams["train"].next()))
    return found.counts["_fused_sgd_"] // len(optimizer.param_groups), len(update.passes)


def _operations(space: str, options: Options) -> Found:
    more, plain = operations_beside(trainer_of(space, strategy_of("uniform"), FEW, options))
    return exactly(more.total(), 0, f"{more.total()} more than {plain}")


def _updated(options: Options) -> Found:
    on, beside, everything = updated(trainer_of("fbnet_s", strategy_of("uniform"), FEW, options))
    return exactly(beside, 0, f"{on} on the path, {beside} beside it, of {everything}")


def _gradients(form: str, options: Options) -> Found:
    arch, weights = weight_gradients(trainer_of("proxylessnas", strategy_of(form), FEW, options))
    return exactly(arch, 0, f"{arch}; {weights} in a weight step")


def _optimiser_steps(options: Options) -> Found:
    steps, paths = optimiser_steps(trainer_of("spos", strategy_of("fair"), FEW, options))
    return exactly(steps, 1, f"{steps} for {paths} paths")


ROWS = (
    Row(
        "operations", "spos, operations of a step, against plain nn.Sequential", "0 more", partial(_operations, "spos")
    ),
    Row("tensors", "fbnet_s, tensors that the optimiser touches", "0 beside", _updated),
    *(
        Row(f"gradients_{form}", f"proxylessnas, weight gradients in an architecture step, {form}", "0", row)
        for form in ("softmax", "gdas", "proxyless")
        for row in [partial(_gradients, form)]
    ),
    Row("fair_steps", "spos, optimiser steps of a fair step", "1", _optimiser_steps),
)
