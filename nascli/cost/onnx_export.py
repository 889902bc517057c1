"""Blocks and networks as ONNX models."""

from __future__ import annotations

import copy
import io
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from nascli.errors import NascliError, RunFailed

OPSET = 18


def to_onnx(
    module: nn.Module, shape: tuple[int, ...], batch: int = 1, fold_bn: bool = True, any_batch: bool = False
) -> bytes:
    """A module in evaluation mode as a serialised ONNX model from "x" (batch, *shape) to "y".

    Args:
        module: is not changed.
        shape: of one input, (C, H, W).
        batch: number of inputs, fixed in the model.
        fold_bn: whether BatchNorm becomes part of the convolution before it.
        any_batch: let the number of inputs open; what a forward makes of it in Python's numbers stays fixed.

    Raises:
        RunFailed: it cannot be exported.
    """
    x = images(batch, shape)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            torch._C._jit_set_onnx_log_output_stream("stderr")  # where it fails it prints a graph, else to stdout
            return _traced(_exportable(module), x, fold_bn, any_batch)
    except NascliError:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        raise RunFailed(f"cannot export {type(module).__name__} {shape} to ONNX", why=why) from error


def images(batch: int, shape: tuple[int, ...]) -> Tensor:
    """Always the same random inputs (batch, *shape), in [0, 1)."""
    return torch.rand(batch, *shape, generator=torch.Generator().manual_seed(0))


def _traced(module: nn.Module, x: Tensor, fold_bn: bool, any_batch: bool) -> bytes:
    """By tracing: a hundred times faster than `torch.export`, and blocks have no control flow on values."""
    buffer: Any = io.BytesIO()
    mode = torch.onnx.TrainingMode
    training = mode.EVAL if fold_bn else mode.PRESERVE
    names: Any = {"input_names": ["x"], "output_names": ["y"]}
    if any_batch:
        names["dynamic_axes"] = {"x": {0: "N"}, "y": {0: "N"}}
    torch.onnx.export(module, (x,), buffer, dynamo=False, training=training, opset_version=OPSET, **names)
    return bytes(buffer.getvalue())


class _Shuffle(nn.Module):
    """`nn.ChannelShuffle` in operations that ONNX has."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        return x.reshape(n, self.groups, c // self.groups, h, w).transpose(1, 2).reshape(n, c, h, w)


def _exportable(module: nn.Module) -> nn.Module:
    """A copy in evaluation mode without what the exporter does not know."""
    if isinstance(module, nn.ChannelShuffle):
        return _Shuffle(module.groups)
    result = copy.deepcopy(module).eval()
    for part in list(result.modules()):
        for name, child in part.named_children():
            if isinstance(child, nn.ChannelShuffle):
                setattr(part, name, _Shuffle(child.groups))
    return result
