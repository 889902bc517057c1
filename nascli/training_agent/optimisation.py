"""The optimiser and the learning-rate schedule of a training, from torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR, StepLR

from nascli.engine import Engine
from nascli.training_agent.settings import Training


def optimizer_of(modules: Sequence[nn.Module], options: Training, engine: Engine) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum, or AdamW; vectors (BatchNorm, biases) are not decayed."""
    weights = [p for module in modules for p in module.parameters()]
    groups = [
        {"params": [p for p in weights if p.dim() > 1], "weight_decay": options.weight_decay},
        {"params": [p for p in weights if p.dim() <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    fused = engine.device.type in ("cpu", "cuda")
    if options.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=options.learning_rate, fused=fused)
    momentum = options.momentum
    return torch.optim.SGD(groups, lr=options.learning_rate, momentum=momentum, nesterov=momentum > 0, fused=fused)


def arch_optimizer_of(parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    """Adam as DARTS has it for architecture parameters (Liu et al., 2019, arXiv:1806.09055)."""
    return torch.optim.Adam(parameters, lr=3e-4, betas=(0.5, 0.999), weight_decay=1e-3)


def restore_optimizer(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Load a `state_dict`, each tensor in the layout of its parameter.

    Checkpoints hold contiguous tensors; fused optimisers pair a parameter with its momentum by place in memory.
    """
    optimizer.load_state_dict(dict(state))
    for parameter, slots in optimizer.state.items():
        for name, value in slots.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                slots[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def schedule_of(optimizer: torch.optim.Optimizer, options: Training, steps_per_epoch: int) -> LRScheduler:
    """Linear warm-up, then a cosine to 0 (Loshchilov and Hutter, 2017, arXiv:1608.03983), falls, or none."""
    total = options.epochs * steps_per_epoch
    warmup = min(round(options.warmup_epochs * steps_per_epoch), total - 1)
    after = _after_warmup(optimizer, options, max(1, total - warmup), steps_per_epoch)
    if warmup < 1:
        return after
    return SequentialLR(optimizer, [LinearLR(optimizer, 1 / (warmup + 1), 1.0, warmup), after], [warmup])


def _after_warmup(optimizer: torch.optim.Optimizer, options: Training, steps: int, steps_per_epoch: int) -> LRScheduler:
    if options.schedule == "cosine":
        return CosineAnnealingLR(optimizer, steps)
    if options.schedule == "step":
        return StepLR(optimizer, options.step_epochs * steps_per_epoch, options.step_factor)
    return ConstantLR(optimizer, factor=1.0, total_iters=1)
