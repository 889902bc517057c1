"""Counting the multiply-accumulates that a forward executes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

T = TypeVar("T")


def count_macs(module: nn.Module, shape: tuple[int, ...]) -> int:
    """The multiply-accumulates of one input of `shape`."""
    return shapes_alone(module, (1, *shape), _counted)


def shapes_alone(module: nn.Module, shape: tuple[int, ...], watch: Callable[[Callable[[], Any], Tensor], T]) -> T:
    """What is seen of a forward on the meta device, which computes no values; where a module needs them, on its own.

    Args:
        module: is not changed.
        shape: of the input, with the batch.
        watch: gets what runs the forward, and its input.
    """
    like = next(module.parameters(), torch.empty(0))
    x = like.new_zeros(shape)
    with torch.no_grad():
        try:
            state, meta = _on_meta(module), x.to("meta")
            return watch(lambda: functional_call(module, state, (meta,)), meta)
        except (RuntimeError, TypeError, ValueError):
            return watch(lambda: module(x), x)


def _on_meta(module: nn.Module) -> dict[str, Tensor]:
    named = [*module.named_parameters(), *module.named_buffers()]
    return {name: tensor.detach().to("meta") for name, tensor in named}


def _counted(run: Callable[[], Any], x: Tensor) -> int:
    with MacCounter() as counter:
        run()
    macs: int = counter.macs
    return macs


class MacCounter(TorchFunctionMode):
    """Sees each call of a function of torch; `macs`: the multiply-accumulates within its block, of all images."""

    def __init__(self) -> None:
        super().__init__()
        self.macs: int = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _SAME_SHAPE and args and args[0].is_meta:
            return args[0]
        output = func(*args, **(kwargs or {}))
        if func in _RULES:
            self.macs += _RULES[func](*_tensors(args, kwargs or {}), output)
        return output


def _tensors(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """Input and weight of a call."""
    given = dict(zip(("input", "weight"), args, strict=False)) | {
        k: kwargs[k] for k in ("input", "weight") if k in kwargs
    }
    return given["input"], given["weight"]


def _each_output(x: Tensor, weight: Tensor, output: Tensor) -> int:
    """A product for each weight of one output, at each output: convolutions (o, i / groups, …) and linear layers."""
    return output.numel() * prod(weight.shape[1:])


def _each_input(x: Tensor, weight: Tensor, output: Tensor) -> int:
    """A product for each weight of one input, at each input: transposed convolutions (i, o / groups, …)."""
    return x.numel() * prod(weight.shape[1:])


_SAME_SHAPE = {F.batch_norm, F.relu, F.relu6, F.hardtanh, F.hardswish, F.hardsigmoid}
"""Functions whose result has their input's shape; on the meta device torch takes a millisecond to find that out."""
_CONVOLUTIONS = (torch.conv1d, torch.conv2d, torch.conv3d, F.linear)
_TRANSPOSED = (torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d)
_RULES: dict[Any, Callable[[Tensor, Tensor, Tensor], int]] = {
    **dict.fromkeys(_CONVOLUTIONS, _each_output),
    **dict.fromkeys(_TRANSPOSED, _each_input),
}
