"""Counting and drawing by dynamic programming: one state a group, so that the offsets sum into a range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from nascli.cost.steps import Offsets, Ranges, Steps, region, shapes

Levels = list[npt.NDArray[Any]]
Weights = npt.NDArray[np.float64]

EXACT_FLOAT = 2**53
WHOLE_CELLS = 4096  # up to here, and for this many additions, counts beyond 2**53 are added as Python's integers
WHOLE_ADDITIONS = 2**22
UNDERFLOW = 1000  # log2 of the space's size from which float64 may lose a weight
CELLS = 2**17  # of the matrix that one chunk of draws needs: it stays in the cache


@dataclass(frozen=True)
class Count:
    """How many architectures: at least `lower` and at most `upper`."""

    lower: int
    upper: int

    @property
    def exact(self) -> bool:
        """Whether the number is known."""
        return self.lower == self.upper


class CountingTable:
    """For each group and each sum of the groups before it, the weight of all ways to end inside the range.

    Args:
        offsets: (n_states, a) a group, 0 or more, in bins of each of `a` metrics.
        ends: for each metric the first and the last sum that counts; empty when the first is above the last.

    Weights are divided by a power of two a level, at least its number of states: no space is too large for them,
    and a count below 2**53 stays exact.
    """

    def __init__(self, offsets: Sequence[Offsets], ends: Ranges) -> None:
        self._steps = list(map(Steps, offsets))
        self._ends = ends
        self._empty = any(first > last for first, last in ends)

    @cached_property
    def _levels(self) -> Levels:
        return self._backward(np.dtype(np.float64))

    def _backward(self, dtype: np.dtype[Any]) -> Levels:
        """Level g is over the sums that the groups before g can reach; each axis ends with zeros, for all above."""
        sizes = shapes(self._steps, self._ends)
        level = np.zeros([size + 1 for size in sizes[-1]], dtype=dtype)
        level[tuple(slice(max(0, first), size) for (first, _), size in zip(self._ends, sizes[-1], strict=True))] = 1
        levels = [level]
        within = (slice(0, -1),) * len(self._ends)
        for steps, size in zip(reversed(self._steps), reversed(sizes[:-1]), strict=True):
            below, level = level[within], np.zeros([length + 1 for length in size], dtype=dtype)
            for offset, times in zip(steps.shifts(), steps.times.tolist(), strict=True):
                part = below[region(offset, size)]
                level[region((0,) * len(size), part.shape)] += part if times == 1 else times * part
            if dtype.kind == "f":
                level *= math.ldexp(1.0, -steps.bits)
            levels.append(level)
        return levels[::-1]

    @cached_property
    def count(self) -> Count:
        """The number of ways to choose one state a group."""
        if self._empty:
            return Count(0, 0)
        bits = sum(steps.bits for steps in self._steps)
        value = Fraction(float(self._levels[0].flat[0])) * 2**bits
        if value < EXACT_FLOAT and bits <= UNDERFLOW:
            return Count(int(value), int(value))
        kinds = sum(len(steps.times) for steps in self._steps)
        cells = math.prod(last + 1 for _, last in self._ends)
        if cells <= WHOLE_CELLS and cells * kinds <= WHOLE_ADDITIONS:
            whole = int(self._backward(np.dtype(object))[0].flat[0])
            return Count(whole, whole)
        rounding = Fraction(kinds + 3 * len(self._steps), 2**52)
        lost = 2 ** (bits - UNDERFLOW) if bits > UNDERFLOW else 0
        return Count(int(value * (1 - rounding)), int(value * (1 + rounding)) + 1 + lost)

    @property
    def drawable(self) -> bool:
        """Whether `sample` has anything to draw."""
        return not self._empty and bool(self._levels[0].flat[0] > 0)

    def sample(self, n: int, rng: np.random.Generator) -> Offsets:
        """`n` uniform draws, as state indices (n, g), column by column in memory. The table must be `drawable`."""
        states = np.empty((len(self._steps), n), dtype=np.int64)
        rows = max(1, CELLS // max(len(steps.times) for steps in self._steps))
        for start in range(0, n, rows):
            self._draw(states[:, start : start + rows], rng)
        return states.T

    def _draw(self, states: Offsets, rng: np.random.Generator) -> None:
        """Fill (g, n) states, group by group."""
        sums = np.zeros((len(self._ends), states.shape[1]), dtype=np.int64)
        for chosen, steps, level in zip(states, self._steps, self._levels[1:], strict=True):
            weights = _cumulated(_weights(steps, level, sums))
            total = weights[-1]
            # below the total even after rounding, so that a step of weight 0 is never taken
            point = np.minimum(rng.random(len(total)) * total, np.nextafter(total, 0))
            step = np.sum(weights <= point, axis=0, dtype=np.min_scalar_type(len(weights))).astype(np.int64)
            place = steps.starts.take(step)
            if not steps.single:
                place += rng.integers(0, steps.times[step])
            steps.states.take(place, out=chosen, mode="clip")
            for axis, offsets in enumerate(steps.offsets):
                sums[axis] += offsets.take(step)


def _weights(steps: Steps, level: npt.NDArray[Any], sums: Offsets) -> Weights:
    """(k, n): the weight of each step from each of `sums` (a, n)."""
    index = sums[0] + steps.offsets[0][:, None]
    for row, offsets, size in zip(sums[1:], steps.offsets[1:], level.shape[1:], strict=True):
        index *= size
        index += np.minimum(row + offsets[:, None], size - 1)
    weights: Weights = level.ravel().take(index, mode="clip")  # above the last sum of the first metric there are zeros
    if not steps.single:
        weights *= steps.times[:, None]
    return weights


def _cumulated(weights: Weights) -> Weights:
    """Sums down each column (k, n), in place; the order of additions is the same either way."""
    if len(weights) > weights.shape[1]:
        return np.add.accumulate(weights, axis=0, out=weights)
    for above, row in pairwise(weights):
        np.add(row, above, out=row)
    return weights
