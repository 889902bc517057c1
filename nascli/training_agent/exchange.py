"""What the processes of a run exchange in an update: the gradients of the path that ran, and what it wrote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nascli.ranks import Ranks
from nascli.training_agent.folding import instead
from nascli.training_strategy.base import Losses


@dataclass(frozen=True)
class Share:
    """The part of every batch that is this process's.

    Args:
        weight: images of the part, of those of the whole batch.
    """

    ranks: Ranks
    weight: float = 1.0

    @property
    def is_all(self) -> bool:
        """Whether there are no other processes."""
        return self.ranks.world_size == 1


class Exchange:
    """Makes gradients, losses and running statistics those of the whole batch, the same bits on all processes.

    Only tensors that have a gradient on some process travel, in one message; so do the buffers of modules that wrote
    any, which become their mean, weighted like the losses.
    """

    def __init__(self, module: nn.Module) -> None:
        self._writers = [m for m in module.modules() if any(b is not None for b in m._buffers.values())]
        self._versions: list[list[int]] = []

    def begin(self) -> None:
        """Before the passes of an update."""
        self._versions = [_versions(module) for module in self._writers]

    @torch.no_grad()
    def end(self, share: Share, parameters: Sequence[Tensor], losses: Losses) -> Losses:
        """All together, after the backward: sum up.

        Args:
            parameters: those that may have a gradient, already weighted by the share.

        Returns:
            The losses and accuracies of the whole batch.
        """
        wrote = [before != _versions(module) for before, module in zip(self._versions, self._writers, strict=True)]
        flags = share.ranks.any_of([*(p.grad is not None for p in parameters), *wrote])
        gradients = [_gradient(p) for p, wanted in zip(parameters, flags, strict=False) if wanted]
        writers = (m for m, wanted in zip(self._writers, flags[len(parameters) :], strict=True) if wanted)
        buffers = [b for m in writers for b in m._buffers.values() if b is not None and b.is_floating_point()]
        for buffer in buffers:
            buffer.mul_(share.weight)
        values = share.weight * _table(losses) if losses.losses else None
        share.ranks.sum([*gradients, *buffers, *([] if values is None else [values])])
        return losses if values is None else Losses(list(values[0]), list(values[1]))


def _versions(module: nn.Module) -> list[int]:
    return [buffer._version for buffer in module._buffers.values() if buffer is not None]


def _gradient(parameter: Tensor) -> Tensor:
    if parameter.grad is None:  # another process has one
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def _table(losses: Losses) -> Tensor:
    dtype = losses.losses[0].dtype
    return torch.stack([torch.stack(list(losses.losses)), torch.stack([a.to(dtype) for a in losses.accuracies])])


@contextmanager
def synchronised(modules: Iterable[nn.Module], ranks: Ranks) -> Iterator[None]:
    """Each BatchNorm that runs on batch statistics takes those of all processes together.

    torch's own `SyncBatchNorm` runs on GPUs alone, and would stay synchronised where a copy is scored.
    """
    norms = [m for m in modules if isinstance(m, _BatchNorm)]
    with instead({norm: partial(_normalise, norm, ranks) for norm in norms}):
        yield


def _normalise(norm: _BatchNorm, ranks: Ranks, given: Tensor) -> Tensor:
    if not (norm.training or norm.running_mean is None):
        output: Tensor = type(norm).forward(norm, given)
        return output
    x = given.float() if given.dtype in (torch.float16, torch.bfloat16) else given
    shape, others = (1, -1, *(1,) * (x.dim() - 2)), [0, *range(2, x.dim())]
    here = x.new_tensor([x.numel() // x.shape[1]])
    sums = _Sum.apply(torch.cat([x.sum(others), here]), ranks)
    n = sums[-1]
    mean = sums[:-1] / n
    centred = x - mean.view(shape)
    variance = _Sum.apply((centred * centred).sum(others), ranks) / n
    if norm.training and norm.track_running_stats:
        _remember(norm, mean, variance * n / (n - 1))
    output = centred * (variance + norm.eps).rsqrt().view(shape)
    if norm.affine:
        output = output * norm.weight.view(shape) + norm.bias.view(shape)
    return output.to(given.dtype)


@torch.no_grad()
def _remember(norm: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    if norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked += 1
    share = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), share)
    norm.running_var.lerp_(variance.to(norm.running_var.dtype), share)


class _Sum(torch.autograd.Function):
    """The sum over processes, forwards and backwards."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks = ranks
        return _summed(x, ranks)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _summed(gradient, ctx.ranks), None


def _summed(x: Tensor, ranks: Ranks) -> Tensor:
    total = x.clone(memory_format=torch.contiguous_format)
    ranks.sum([total])
    return total
