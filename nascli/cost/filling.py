"""Estimates for blocks that nobody measured."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np

from nascli.config import closest
from nascli.cost.blocks import Blocks
from nascli.cost.rounds import Array
from nascli.cost.validation import line
from nascli.errors import UsageError

Fill = Literal["macs", "nearest"]
FILLS: tuple[Fill, ...] = get_args(Fill)


def known_fill(text: str | None) -> Fill | None:
    """The way to fill that a person names.

    Raises:
        UsageError: there is no such way.
    """
    found = next((fill for fill in FILLS if fill == text), None)
    if text is not None and found is None:
        raise UsageError(f"--fill {text}: no such way{closest(text, FILLS)}", why=f"known: {', '.join(FILLS)}")
    return found


def filled(costs: Array, blocks: Blocks, macs: Array, how: Fill) -> tuple[Array, dict[str, Any]]:
    """The costs (n_blocks,) without holes, and what was put into them.

    "macs": the straight line through cost over multiply-accumulates of the measured blocks, at 0 or above; "nearest":
    the cost of the measured block whose multiply-accumulates are nearest, one of the same name where there is one.

    Args:
        costs: NaN where there is a hole.
        macs: (n_blocks,) of the blocks.

    Raises:
        UsageError: too few blocks were measured.
    """
    holes = np.isnan(costs)
    fits = _on_line if how == "macs" else _nearest
    estimates = np.where(holes, fits(costs, blocks, macs), costs)
    hit = np.flatnonzero(holes).tolist()
    cells = [place.text for i in hit for place in blocks.places[i]]
    return estimates, {"how": how, "blocks": [blocks.blocks[i].id for i in hit], "cells": cells}


def _on_line(costs: Array, blocks: Blocks, macs: Array) -> Array:
    usable = ~np.isnan(costs) & (costs > 0)
    if len(np.unique(macs[usable])) < 2:
        hint = "measure more blocks, or take the nearest one: --fill nearest"
        raise UsageError("two measured blocks of different MACs are needed to fill the others", hint=hint)
    slope, offset = line(macs[usable], costs[usable])
    return np.asarray(np.maximum(slope * macs + offset, 0.0))


def _nearest(costs: Array, blocks: Blocks, macs: Array) -> Array:
    there = np.flatnonzero(~np.isnan(costs))
    if not len(there):
        raise UsageError("no block was measured, so there is none to fill the others from")
    sizes, names = np.log1p(macs), [block.name for block in blocks.blocks]

    def nearest(i: int) -> int:
        return int(min(there, key=lambda j: (names[j] != names[i], abs(sizes[j] - sizes[i]))))

    picks = [nearest(i) for i in range(len(names))]
    return np.asarray(costs[picks])
