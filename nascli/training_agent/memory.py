"""How much memory a forward keeps for its backward."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from nascli.space import Forward
from nascli.training_agent.updates import batch_statistics_alone

IMAGES = 2


def activation_bytes(module: nn.Module, forward: Forward | None, image_shape: Sequence[int], batch_size: int) -> int:
    """Bytes that autograd keeps between forward and backward for a batch, in single precision.

    Measured on a batch of two images; weights are not counted.
    """
    weights = {p.untyped_storage().data_ptr() for p in module.parameters()}
    kept: dict[int, int] = {}
    held: list[Tensor] = []  # as long as a storage is held, its address is its own

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            held.append(tensor.detach())
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    like = next(module.parameters())
    images = torch.zeros(IMAGES, *image_shape, device=like.device, dtype=like.dtype)
    with batch_statistics_alone(module.modules()), saved_tensors_hooks(pack, lambda tensor: tensor):
        module(images) if forward is None else module(images, forward)
    return sum(kept.values()) * batch_size // IMAGES
