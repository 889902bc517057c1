"""Blocks of one's own: `./file.py:name`, `package.module:name`, or an entry point of the group `nascli.block`.

Each is a function or a class, called as a built-in builder is: (in_channels, out_channels, stride, **options).
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from nascli.component import load_object
from nascli.errors import ComponentError, UsageError
from nascli.search_space.macro import Layer, Placed, after
from nascli.users import example, place

BATCH = 2  # one image would hide a block that mixes the images of a batch


def named(placed: Placed) -> str:
    """Where a block stands and what it is called, as errors begin."""
    return f"{placed.where}, block '{placed.block.name}'"


def build_own(placed: Placed, base: Path) -> nn.Module:
    """The module of a block that is not built in.

    Args:
        base: the folder that file references start at.

    Raises:
        UsageError: it cannot be found or imported, it fails, or what it returns is no module.
    """
    op = placed.block.op
    try:
        builder, _ = load_object("block", op, base)
    except ComponentError as error:
        error.what = f"{named(placed)}: {error.what}"
        raise
    try:
        module = builder(placed.in_channels, placed.out_channels, placed.stride, **placed.block.options)
    except Exception as error:
        raise _failed(placed, "could not be built", error) from error
    if not isinstance(module, nn.Module):
        raise UsageError(
            f"{named(placed)} ({op}): expected a torch.nn.Module, found {type(module).__name__}",
            why="a block is called with (in_channels, out_channels, stride, **options) and returns a module",
            hint=example("block"),
        )
    return module


def check_output(placed: Placed, module: nn.Module) -> None:
    """Run a block once, on zeros of the shape that reaches it, in evaluation mode; afterwards it is as before.

    Raises:
        UsageError: it fails, or what comes out has another shape than the next layer expects.
    """
    place = Layer(placed.in_channels, placed.out_channels, placed.stride)
    expected = (BATCH, *after(placed.input_shape, place))
    try:
        output = _evaluated(module, (BATCH, *placed.input_shape))
    except Exception as error:
        raise _failed(placed, f"does not run on {(BATCH, *placed.input_shape)}", error) from error
    found = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
    if found != expected:
        raise UsageError(
            f"{named(placed)} ({placed.block.op}): expected an output of shape {expected}, found {found}",
            why=f"stride {placed.stride} and {placed.out_channels} channels, on an input of {placed.input_shape}",
            hint=f"height and width are those of the input / stride, rounded up; {example('block')}",
        )


def _evaluated(module: nn.Module, shape: tuple[int, ...]) -> object:
    modes = {part: part.training for part in module.modules()}
    like = next(module.parameters(), torch.empty(0))
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            output: object = module.eval()(like.new_zeros(shape))
    finally:
        for part, mode in modes.items():
            part.training = mode
    return output


def _failed(placed: Placed, what: str, error: Exception) -> UsageError:
    why = f"{type(error).__name__}: {error}"
    return UsageError(f"{named(placed)} ({placed.block.op}) {what}", why=why + place(error), hint=example("block"))
