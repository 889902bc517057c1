"""Costs in whole bins: what a feasible set counts over."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from nascli.cost.constraint import Window
from nascli.cost.model import Costs
from nascli.cost.steps import Offsets

Range = tuple[int, int]

BINS = 2**16  # of real costs, and of whole ones that need too many exact bins
MAX_BINS = 2**20
MAX_BYTES = 512 * 2**20
MAX_ADDITIONS = 2**31
FAR = 2.0**62  # whole totals lie within it
ROUNDING = 1e-12  # relative; far above what adding the costs of one architecture in floating point loses


@dataclass(frozen=True, eq=False)
class Binning:
    """The costs of every state in bins above the cheapest state of its group.

    Where a window lies nearer to the largest total than to the smallest, costs are negated: bins then count from
    the costliest state down, and there are fewer of them.

    Args:
        offsets: (n_states,) a group, 0 or more.
        outer: first and last sum of offsets that an architecture inside the window can have.
        inner: first and last sum that only architectures inside the window have. A range is empty when its
            first is above its last.
        origin: the cost of the sum 0, negated where `sign` is -1.
        step: the width of a bin.
        sign: 1, or -1 where bins count from the costliest state down.
        exact: whether a sum of k bins costs exactly `sign * (origin + k * step)`.
    """

    offsets: tuple[Offsets, ...]
    outer: Range
    inner: Range
    origin: int | float
    step: int | float
    sign: int
    exact: bool

    @property
    def n_bins(self) -> int:
        """How many sums a table must tell apart."""
        return max(0, self.outer[1]) + 1


def bin_costs(costs: Sequence[Costs], base: int | float, window: Window, most: int | None = None) -> Binning:
    """Bins of the greatest common divisor where the costs are whole and the bins few; quantised ones else.

    Args:
        costs: (n_states,) a group.
        base: what every architecture costs.
        window: lower and upper bound of totals, both inclusive.
        most: bins that may be used; None: `MAX_BINS` exact ones or `BINS` quantised ones, as memory allows.
    """
    smallest, largest = (float(base) + sum(float(end(cost)) for cost in costs) for end in (np.min, np.max))
    sign = -1 if window[1] - smallest > largest - window[0] else 1
    if sign < 0:
        costs, base, window = [-cost for cost in costs], -base, (-window[1], -window[0])
    whole = isinstance(base, int | np.integer) and all(cost.dtype.kind in "iu" for cost in costs)
    found = _exact(costs, int(base), window, sign, most or MAX_BINS) if whole else None
    return found or _quantised(costs, float(base), window, sign, most or _affordable(costs))


def _exact(costs: Sequence[Costs], base: int, window: Window, sign: int, most: int) -> Binning | None:
    least = [int(cost.min()) for cost in costs]
    above = [(cost - low).astype(np.int64) for cost, low in zip(costs, least, strict=True)]
    origin = base + sum(least)
    step = int(reduce(math.gcd, (int(np.gcd.reduce(cost)) for cost in above))) or 1
    top = sum(int(cost.max()) for cost in above) // step
    lower, upper = (min(max(bound, -FAR), FAR) for bound in window)
    first = max(0, -((origin - math.ceil(lower)) // step))
    last = min(top, (math.floor(upper) - origin) // step)
    offsets = tuple(cost // step for cost in above)
    if first <= last and (last >= most or _too_large(offsets, last + 1)):
        return None
    return Binning(offsets, (first, last), (first, last), origin, step, sign, exact=True)


def _too_large(offsets: Sequence[Offsets], n_bins: int) -> bool:
    if n_bins * len(offsets) * 8 > MAX_BYTES:
        return True
    return n_bins * sum(len(np.unique(offset)) for offset in offsets) > MAX_ADDITIONS


def _affordable(costs: Sequence[Costs]) -> int:
    """`BINS`, or fewer where a space has very many groups or states."""
    return max(
        1, min(BINS, MAX_BYTES // (8 * len(costs)), MAX_ADDITIONS // sum(len(np.unique(cost)) for cost in costs))
    )


def _quantised(costs: Sequence[Costs], base: float, window: Window, sign: int, n_bins: int) -> Binning:
    least = [float(cost.min()) for cost in costs]
    above = [cost.astype(np.float64) - low for cost, low in zip(costs, least, strict=True)]
    origin, span = base + sum(least), sum(float(cost.max()) for cost in above)
    rounding = ROUNDING * (abs(origin) + span)
    # sums above the window need no bins
    step = max(min(span, window[1] - origin) / n_bins, rounding) or 1.0
    offsets = tuple(np.floor(cost / step).astype(np.int64) for cost in above)
    # an architecture's total lies at most this many bins above the sum of its offsets, and never below it
    error = sum(float((cost / step - offset).max()) for cost, offset in zip(above, offsets, strict=True))
    slack = rounding / step
    top = sum(int(offset.max()) for offset in offsets)
    low, high = ((bound - origin) / step for bound in window)
    outer = _range(low - error - slack, high + slack, top)
    inner = _range(low + slack, high - error - slack, top)
    return Binning(offsets, outer, inner, origin, step, sign, exact=False)


def _range(low: float, high: float, top: int) -> Range:
    """The whole numbers from `low` to `high` (either may be infinite) within 0 to `top`."""
    return math.ceil(min(max(low, 0.0), top + 1.0)), math.floor(max(min(high, float(top)), -1.0))
