"""Counting and drawing by dynamic programming: one state a group, so that the offsets sum into a range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nascli.cost.bins import Offsets, Range

Levels = list[npt.NDArray[Any]]

EXACT_FLOAT = 2**53
WHOLE_BINS = 4096  # up to here, and for this many additions, counts beyond 2**53 are added as Python's integers
WHOLE_ADDITIONS = 2**22
UNDERFLOW = 1000  # log2 of the space's size from which float64 may lose a weight
CELLS = 2**19  # of the matrix that one chunk of draws needs


@dataclass(frozen=True)
class Count:
    """How many architectures: at least `lower` and at most `upper`."""

    lower: int
    upper: int

    @property
    def exact(self) -> bool:
        """Whether the number is known."""
        return self.lower == self.upper


class _Steps:
    """The distinct offsets of one group: (k,) offsets, how many states have each, and which."""

    def __init__(self, offsets: Offsets) -> None:
        self.offsets, self.starts, self.times = np.unique(np.sort(offsets), return_index=True, return_counts=True)
        self.order = np.argsort(offsets, kind="stable")
        self.bits = math.ceil(math.log2(len(offsets)))


class CountingTable:
    """For each group and each sum of the groups before it, the weight of all ways to end inside the range.

    Args:
        offsets: (n_states,) a group, 0 or more.
        ends: first and last sum that counts; empty when the first is above the last.

    Weights are divided by a power of two a level, at least its number of states: no space is too large for them,
    and a count below 2**53 stays exact.
    """

    def __init__(self, offsets: Sequence[Offsets], ends: Range) -> None:
        self._steps = [_Steps(offset) for offset in offsets]
        self.first, self.last = ends

    @cached_property
    def _levels(self) -> Levels:
        return self._backward(np.dtype(np.float64))

    def _backward(self, dtype: np.dtype[Any]) -> Levels:
        """Level g is over the sums that the groups before g can reach; each ends with one 0, for all above `last`."""
        reach = np.cumsum([0, *(int(steps.offsets[-1]) for steps in self._steps)])
        sizes = [max(0, min(self.last, int(most)) + 1) for most in reach]
        level = np.zeros(sizes[-1] + 1, dtype=dtype)
        level[max(0, self.first) : sizes[-1]] = 1
        levels = [level]
        for steps, size in zip(reversed(self._steps), reversed(sizes[:-1]), strict=True):
            below, level = level[:-1], np.zeros(size + 1, dtype=dtype)
            for offset, times in zip(steps.offsets.tolist(), steps.times.tolist(), strict=True):
                part = below[offset : offset + size]
                level[: len(part)] += part if times == 1 else times * part
            if dtype.kind == "f":
                level *= math.ldexp(1.0, -steps.bits)
            levels.append(level)
        return levels[::-1]

    @cached_property
    def count(self) -> Count:
        """The number of ways to choose one state a group."""
        if self.first > self.last:
            return Count(0, 0)
        bits = sum(steps.bits for steps in self._steps)
        value = Fraction(float(self._levels[0][0])) * 2**bits
        if value < EXACT_FLOAT and bits <= UNDERFLOW:
            return Count(int(value), int(value))
        kinds = sum(len(steps.offsets) for steps in self._steps)
        if self.last < WHOLE_BINS and (self.last + 1) * kinds <= WHOLE_ADDITIONS:
            whole = int(self._backward(np.dtype(object))[0][0])
            return Count(whole, whole)
        rounding = Fraction(kinds + 3 * len(self._steps), 2**52)
        lost = 2 ** (bits - UNDERFLOW) if bits > UNDERFLOW else 0
        return Count(int(value * (1 - rounding)), int(value * (1 + rounding)) + 1 + lost)

    @property
    def drawable(self) -> bool:
        """Whether `sample` has anything to draw."""
        return self.first <= self.last and bool(self._levels[0][0] > 0)

    def sample(self, n: int, rng: np.random.Generator) -> Offsets:
        """`n` uniform draws, as state indices (n, g). The table must be `drawable`."""
        rows = max(1, CELLS // max(len(steps.offsets) for steps in self._steps))
        return np.concatenate([self._draw(min(rows, n - done), rng) for done in range(0, max(n, 1), rows)])

    def _draw(self, n: int, rng: np.random.Generator) -> Offsets:
        states = np.empty((n, len(self._steps)), dtype=np.int64)
        sums = np.zeros(n, dtype=np.int64)
        for g, steps in enumerate(self._steps):
            level = self._levels[g + 1]
            ends = np.minimum(sums[:, None] + steps.offsets, len(level) - 1)
            weights = (level[ends] * steps.times).cumsum(axis=1)
            total = weights[:, -1]
            # below the total even after rounding, so that a step of weight 0 is never taken
            point = np.minimum(rng.random(n) * total, np.nextafter(total, 0))
            step = (weights <= point[:, None]).sum(axis=1)
            states[:, g] = steps.order[steps.starts[step] + rng.integers(0, steps.times[step])]
            sums += steps.offsets[step]
        return states
