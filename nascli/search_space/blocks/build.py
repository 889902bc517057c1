"""From a block in its place to its module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from pathlib import Path

from torch import nn

from nascli.component import installed
from nascli.config import closest
from nascli.errors import UsageError
from nascli.search_space.blocks.aspp import aspp
from nascli.search_space.blocks.basic import classifier, conv, depthwise, separable
from nascli.search_space.blocks.mobile import mixconv, mobile
from nascli.search_space.blocks.own import build_own, named
from nascli.search_space.blocks.pooling import avg_pool, global_average, global_depthwise, max_pool, skip, zero
from nascli.search_space.blocks.shuffle import shuffle, shuffle_x
from nascli.search_space.macro import Placed
from nascli.search_space.norm import USUAL, Norm

BUILDERS: Mapping[str, Callable[..., nn.Module]] = {
    "conv": conv,
    "depthwise": depthwise,
    "separable": separable,
    "mobile": mobile,
    "mixconv": mixconv,
    "shuffle": shuffle,
    "shuffle_x": shuffle_x,
    "aspp": aspp,
    "skip": skip,
    "avg_pool": avg_pool,
    "max_pool": max_pool,
    "zero": zero,
    "global_average": global_average,
    "global_depthwise": global_depthwise,
    "classifier": classifier,
}


def is_own(op: str) -> bool:
    """Whether an operation is not built in, so that nothing is known about its output yet."""
    return op not in BUILDERS


def build(placed: Placed, norm: Norm = USUAL, base: Path = Path()) -> nn.Module:
    """The module of a block in its place, with new weights.

    Args:
        norm: for every BatchNorm in it, also in blocks of one's own.
        base: the folder that file references start at.

    Raises:
        UsageError: no such operation, options that it does not take, or a block of one's own that fails.
    """
    op = placed.block.op
    if ":" not in op and is_own(op) and op not in (others := installed("block")):
        raise UsageError(
            f"{named(placed)}: there is no operation '{op}'" + closest(op, [*BUILDERS, *others]),
            hint="one of your own: ./file.py:function or package.module:function; what there is: nascli list block",
        )
    module = build_own(placed, base) if is_own(op) else _built_in(placed)
    norm.apply_to(module)
    return module


def _built_in(placed: Placed) -> nn.Module:
    block = placed.block
    try:
        return BUILDERS[block.op](placed.in_channels, placed.out_channels, placed.stride, **block.options)
    except (TypeError, ValueError) as error:
        hint = f"options of {block.op}: {', '.join(options_of(block.op)) or 'none'}"
        raise UsageError(f"{named(placed)} ({block.op}): {error}", hint=hint) from None


def options_of(op: str) -> list[str]:
    """What may stand beside a built-in operation."""
    return list(signature(BUILDERS[op]).parameters)[3:]
