"""Running an `Update`: forwards, backwards, one optimiser step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nascli.dataflow.base import Batch
from nascli.engine import Engine
from nascli.errors import UsageError
from nascli.ranks import ALONE
from nascli.space import Forward
from nascli.training_agent.base import TrainingAgent
from nascli.training_agent.checking import scalar
from nascli.training_agent.exchange import Exchange, Share, synchronised
from nascli.training_strategy.base import Losses, Pass, Update

WHOLE = Share(ALONE)


@dataclass(frozen=True)
class Teacher:
    """A trained network that every pass on labels imitates, with this weight."""

    network: nn.Module
    weight: float


@dataclass
class Updater:
    """Runs updates on one module, whose parts stay the same.

    `optimizers`: "weights", and "arch" where the strategy has architecture parameters. `sync_batchnorm`: where a batch
    is shared with other processes, by the statistics of the whole of it.
    """

    module: nn.Module
    criterion: nn.Module
    agent: TrainingAgent
    engine: Engine
    optimizers: Mapping[str, torch.optim.Optimizer]
    clip_grad: float | None
    teacher: Teacher | None = None
    sync_batchnorm: bool = False

    def __post_init__(self) -> None:
        self._weights = list(self.module.parameters())
        self._modules = list(self.module.modules())
        self._exchange = Exchange(self.module)

    def run(self, update: Update, batch: Batch, share: Share = WHOLE) -> Losses:
        """Run the passes of an update and step its optimiser.

        Args:
            share: what part of a batch this is, whose other parts other processes run at the same time.

        Returns:
            The losses of the whole batch.

        Raises:
            UsageError: the update changes architecture parameters, and the strategy has none.
        """
        losses = self._run(update, batch, share) if share.is_all else self._run_together(update, batch, share)
        if update.params is not None:
            self._step(self.optimizers[update.params])
        return losses

    def _run_together(self, update: Update, batch: Batch, share: Share) -> Losses:
        """Up to the gradients of the whole batch."""
        self._exchange.begin()
        with synchronised(self._modules, share.ranks) if self.sync_batchnorm else nullcontext():
            losses = self._run(update, batch, share)
        groups = [] if update.params is None else self.optimizers[update.params].param_groups
        return self._exchange.end(share, [p for group in groups for p in group["params"]], losses)

    def _run(self, update: Update, batch: Batch, share: Share) -> Losses:
        """Up to the gradients of this share."""
        if update.params is None:
            with torch.no_grad(), batch_statistics_alone(self._modules):
                return self._passes(update, batch, Leaves(trained=False), share)
        if update.params not in self.optimizers:
            raise UsageError("the training strategy updates architecture parameters, but arch_parameters() is empty")
        self.optimizers[update.params].zero_grad(set_to_none=True)
        leaves = Leaves(trained=update.params == "arch")
        if update.params == "arch":
            with frozen(self._weights), batch_statistics_alone(self._modules):
                losses = self._passes(update, batch, leaves, share)
        else:
            losses = self._passes(update, batch, leaves, share)
        self._backward(update, leaves, share)
        return losses

    def _passes(self, update: Update, batch: Batch, leaves: Leaves, share: Share) -> Losses:
        outputs: list[Tensor] = []
        losses: list[Tensor] = []
        accuracies: list[Tensor] = []
        taught = self._taught(update, batch)
        for item in update.passes:
            with self.engine.autocast():
                output = self._forward(item.forward, batch.images, leaves)
                loss = self._loss(item, output, batch.labels, outputs, taught)
            if torch.is_grad_enabled():
                factor = item.scale * share.weight
                self.engine.scaler.scale(loss if factor == 1 else factor * loss).backward()
            outputs.append(output.detach())
            losses.append(loss.detach())
            accuracies.append(self.agent.judge(outputs[-1], batch.labels)[0].mean())
        return Losses(losses, accuracies)

    def _taught(self, update: Update, batch: Batch) -> Tensor | None:
        """The teacher's outputs, where a pass imitates them."""
        if self.teacher is None or not any(item.target == "labels" for item in update.passes):
            return None
        with torch.no_grad(), self.engine.autocast():
            outputs: Tensor = self.teacher.network(batch.images)
        return outputs

    def _forward(self, forward: Forward | None, images: Tensor, leaves: Leaves) -> Tensor:
        output: Tensor = self.module(images) if forward is None else self.module(images, leaves.of(forward))
        return output

    def _loss(self, item: Pass, output: Tensor, labels: Tensor, earlier: list[Tensor], taught: Tensor | None) -> Tensor:
        if item.target != "labels":
            return self.agent.imitate(output, earlier[item.target])
        loss = scalar(self.criterion(output, labels), self.criterion, output)
        if self.teacher is not None and taught is not None:
            loss = loss + self.teacher.weight * self.agent.imitate(output, taught)
        return loss

    def _backward(self, update: Update, leaves: Leaves, share: Share) -> None:
        """What hangs on architecture parameters goes back in one call, since its parts may share a graph."""
        roots, gradients = leaves.collected()
        if update.penalty is not None:
            penalty = self.engine.scaler.scale(update.penalty())
            penalty = penalty if share.is_all else share.weight * penalty
            roots, gradients = [*roots, penalty], [*gradients, torch.ones_like(penalty)]
        if roots:
            torch.autograd.backward(roots, gradients)

    def _step(self, optimizer: torch.optim.Optimizer) -> None:
        touched = [[p for p in group["params"] if p.grad is not None] for group in optimizer.param_groups]
        _start_momentum(optimizer, touched)
        if self.clip_grad is not None:
            self.engine.scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_([p for group in touched for p in group], self.clip_grad)
        self.engine.scaler.step(optimizer)
        self.engine.scaler.update()


class Leaves:
    """Stands between the passes of an update and the graph of its architecture parameters.

    Each weight tensor of a `Selection` becomes a detached leaf, the same one in all passes; the leaves collect
    the gradients of the passes, each of which frees its own graph.

    Args:
        trained: whether gradients are wanted.
    """

    def __init__(self, *, trained: bool) -> None:
        self.trained = trained
        self._found: dict[int, tuple[Tensor, Tensor]] = {}

    def of(self, forward: Forward) -> Forward:
        """The same forward with leaves for weights."""
        return {
            label: item if item.weights is None else replace(item, weights=self._leaf(item.weights))
            for label, item in forward.items()
        }

    def _leaf(self, weights: Tensor) -> Tensor:
        if id(weights) not in self._found:
            leaf = weights.detach().requires_grad_(self.trained and weights.requires_grad)
            self._found[id(weights)] = weights, leaf
        return self._found[id(weights)][1]

    def collected(self) -> tuple[list[Tensor], list[Tensor]]:
        """The tensors that had a gradient, and those gradients."""
        pairs = [(weights, leaf.grad) for weights, leaf in self._found.values() if leaf.grad is not None]
        return [weights for weights, _ in pairs], [gradient for _, gradient in pairs]


def _start_momentum(optimizer: torch.optim.Optimizer, touched: Sequence[Sequence[Tensor]]) -> None:
    """Give what is touched for the first time a momentum of 0; `touched` are the weights with a gradient, by group.

    The first update is the same (0 · momentum + gradient), and fused SGD refuses a step in which some of the
    tensors have a momentum and others have none, which is every step of single-path training.
    """
    if isinstance(optimizer, torch.optim.SGD):
        for group, weights in zip(optimizer.param_groups, touched, strict=True):
            for p in weights if group["momentum"] else ():
                if optimizer.state[p].get("momentum_buffer") is None:
                    optimizer.state[p]["momentum_buffer"] = torch.zeros_like(p)


@contextmanager
def frozen(weights: Iterable[Tensor]) -> Iterator[None]:
    """No gradient is computed for the weights."""
    trainable = [p for p in weights if p.requires_grad]
    for p in trainable:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in trainable:
            p.requires_grad_(True)


@contextmanager
def batch_statistics_alone(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Each BatchNorm among the modules normalises by the batch and writes no buffer."""
    tracking = [m for m in modules if isinstance(m, _BatchNorm) and m.track_running_stats]
    for m in tracking:
        m.track_running_stats = False
    try:
        yield
    finally:
        for m in tracking:
            m.track_running_stats = True
