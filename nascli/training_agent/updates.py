"""Running an `Update`: forwards, backwards, one optimiser step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nascli.dataflow.base import Batch
from nascli.engine import Engine
from nascli.errors import UsageError
from nascli.space import Forward
from nascli.training_agent.base import TrainingAgent
from nascli.training_strategy.base import Losses, Pass, Update


@dataclass
class Updater:
    """Runs updates on one module.

    `optimizers`: "weights", and "arch" where the strategy has architecture parameters.
    """

    module: nn.Module
    criterion: nn.Module
    agent: TrainingAgent
    engine: Engine
    optimizers: Mapping[str, torch.optim.Optimizer]
    clip_grad: float | None

    def run(self, update: Update, batch: Batch) -> Losses:
        """Run the passes of an update and step its optimiser.

        Raises:
            UsageError: the update changes architecture parameters, and the strategy has none.
        """
        if update.params is None:
            with torch.no_grad(), batch_statistics_alone(self.module):
                return self._passes(update, batch)
        if update.params not in self.optimizers:
            raise UsageError("the training strategy updates architecture parameters, but arch_parameters() is empty")
        optimizer = self.optimizers[update.params]
        optimizer.zero_grad(set_to_none=True)
        if update.params == "arch":
            with frozen(self.module), batch_statistics_alone(self.module):
                losses = self._passes(update, batch)
        else:
            losses = self._passes(update, batch)
        self._step(optimizer)
        return losses

    def _passes(self, update: Update, batch: Batch) -> Losses:
        outputs: list[Tensor] = []
        losses: list[Tensor] = []
        accuracies: list[Tensor] = []
        for item in update.passes:
            with self.engine.autocast():
                output = self._forward(item.forward, batch.images, update.params)
                loss = self._loss(item, output, batch.labels, outputs)
            if torch.is_grad_enabled():
                self.engine.scaler.scale(item.scale * loss).backward()
            outputs.append(output.detach())
            losses.append(loss.detach())
            accuracies.append(self.agent.judge(outputs[-1], batch.labels)[0].mean())
        if update.penalty is not None and torch.is_grad_enabled():
            self.engine.scaler.scale(update.penalty()).backward()
        return Losses(losses, accuracies)

    def _forward(self, forward: Forward | None, images: Tensor, params: str | None) -> Tensor:
        if forward is None:
            output: Tensor = self.module(images)
        elif params == "weights":
            output = self.module(images, detached(forward))
        else:
            output = self.module(images, forward)
        return output

    def _loss(self, item: Pass, output: Tensor, labels: Tensor, earlier: list[Tensor]) -> Tensor:
        if item.target == "labels":
            loss: Tensor = self.criterion(output, labels)
            return loss
        return self.agent.imitate(output, earlier[item.target])

    def _step(self, optimizer: torch.optim.Optimizer) -> None:
        _start_momentum(optimizer)
        if self.clip_grad is not None:
            self.engine.scaler.unscale_(optimizer)
            touched = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
            nn.utils.clip_grad_norm_(touched, self.clip_grad)
        self.engine.scaler.step(optimizer)
        self.engine.scaler.update()


def _start_momentum(optimizer: torch.optim.Optimizer) -> None:
    """Give what is touched for the first time a momentum of 0.

    The first update is the same (0 · momentum + gradient), and fused SGD refuses a step in which some of the
    tensors have a momentum and others have none, which is every step of single-path training.
    """
    if isinstance(optimizer, torch.optim.SGD):
        for group in optimizer.param_groups:
            for p in group["params"] if group["momentum"] else ():
                if p.grad is not None and optimizer.state[p].get("momentum_buffer") is None:
                    optimizer.state[p]["momentum_buffer"] = torch.zeros_like(p)


def detached(forward: Forward) -> Forward:
    """The same forward with weights that carry no gradient."""
    return {
        label: item if item.weights is None else replace(item, weights=item.weights.detach())
        for label, item in forward.items()
    }


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """No gradient is computed for the module's own weights."""
    trainable = [p for p in module.parameters() if p.requires_grad]
    for p in trainable:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in trainable:
            p.requires_grad_(True)


@contextmanager
def batch_statistics_alone(module: nn.Module) -> Iterator[None]:
    """BatchNorm normalises by the batch and writes no buffer."""
    tracking = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    for m in tracking:
        m.track_running_stats = False
    try:
        yield
    finally:
        for m in tracking:
            m.track_running_stats = True
