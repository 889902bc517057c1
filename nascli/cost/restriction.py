"""One metric held inside a window: how many architectures meet it, draws of them, and what to say when none does."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import numpy.typing as npt

from nascli.cost.bins import Binning, bin_costs
from nascli.cost.constraint import Constraint, Window, describe
from nascli.cost.counting_table import Count, CountingTable
from nascli.cost.model import Metric
from nascli.cost.states import StateSpace
from nascli.errors import Infeasible
from nascli.space import Archs

NAMED = 12
MAX_REACH_BITS = 2**31


class Restriction:
    """A metric and the window that its totals must lie in, both bounds inclusive."""

    def __init__(self, states: StateSpace, metric: Metric, window: Window) -> None:
        self.states, self.metric, self.window = states, metric, window

    @cached_property
    def binning(self) -> Binning:
        """The costs in bins."""
        return bin_costs(self.states.costs(self.metric), self.metric.base, self.window)

    @cached_property
    def table(self) -> CountingTable:
        """The table that draws every architecture inside the window, and with real costs some just outside."""
        return CountingTable(self.binning.offsets, self.binning.outer)

    @cached_property
    def count(self) -> Count:
        """How many canonical architectures lie inside the window."""
        if self.binning.exact:
            return self.table.count
        inner = CountingTable(self.binning.offsets, self.binning.inner)
        return Count(inner.count.lower, self.table.count.upper)

    def holds(self, archs: Archs) -> npt.NDArray[np.bool_]:
        """Whether the true total of each canonical architecture (n, d) lies inside the window, (n,)."""
        total = self.metric.total(archs)
        return (total >= self.window[0]) & (total <= self.window[1])

    @property
    def cheapest(self) -> Archs:
        """An architecture (d,) of the whole space with the smallest total."""
        return np.array(self._extremes[0])

    @property
    def costliest(self) -> Archs:
        """An architecture (d,) of the whole space with the largest total."""
        return np.array(self._extremes[1])

    @cached_property
    def _extremes(self) -> Archs:
        costs = self.states.costs(self.metric)
        states = [[int(cost.argmin()) for cost in costs], [int(cost.argmax()) for cost in costs]]
        return self.states.decode(np.array(states, dtype=np.int64))

    @property
    def bounds(self) -> tuple[int | float, int | float]:
        """The smallest and the largest total of the whole space."""
        smallest, largest = self.metric.total(self._extremes).tolist()
        return smallest, largest

    def infeasible(self) -> Infeasible:
        """What to tell about a window that holds no architecture: what can be reached instead."""
        smallest, largest = self.bounds
        what = f"no architecture meets {describe(self.metric.name, self.window)}"
        if smallest > self.window[1]:
            return self._beyond(f"{what}: the smallest reachable is", smallest, self.cheapest, upper=True)
        if largest < self.window[0]:
            return self._beyond(f"{what}: the largest reachable is", largest, self.costliest, upper=False)
        return self._between(what)

    def _beyond(self, what: str, total: float, arch: Archs, *, upper: bool) -> Infeasible:
        rest = ",…" if len(arch) > NAMED else ""
        names = ",".join(str(i) for i in arch[:NAMED].tolist())
        works = Constraint(self.metric.name, total, upper)
        return Infeasible(f"{what} {self._text(total)} ({names}{rest})", hint=f"--constraint '{works}'")

    def _between(self, what: str) -> Infeasible:
        nearest = self._nearest()
        if nearest is None:
            smallest, largest = map(self._text, self.bounds)
            hint = f"widen the window of {self.metric.name}"
            return Infeasible(f"{what}: totals run from {smallest} to {largest}, and none lies inside", hint=hint)
        below, above = nearest
        works = Constraint(self.metric.name, above, upper=True)
        what = f"{what}: the nearest reachable are {self._text(below)} and {self._text(above)}"
        return Infeasible(what, hint=f"--constraint '{works}'")

    def _nearest(self) -> tuple[int, int] | None:
        """The nearest reachable totals below and above the window; None where that is not cheap to know."""
        binning = self.binning
        top = sum(int(offsets.max()) for offsets in binning.offsets)
        steps = [np.unique(offsets).tolist() for offsets in binning.offsets]
        if not binning.exact or math.isinf(self.window[1]) or (top + 1) * sum(map(len, steps)) > MAX_REACH_BITS:
            return None
        reachable = 1  # bit k: some architecture is k bins above the cheapest
        for offsets in steps:
            reachable = _shifted(reachable, offsets)
        origin, step = int(binning.origin), int(binning.step)
        first, last = binning.outer
        below = (reachable & ((1 << first) - 1)).bit_length() - 1
        over = reachable >> (last + 1)
        above = last + 1 + (over & -over).bit_length() - 1
        return origin + below * step, origin + above * step

    def _text(self, total: float) -> str:
        return str(Constraint(self.metric.name, total, upper=True)).replace("<=", "=")


def _shifted(bits: int, offsets: list[int]) -> int:
    result = 0
    for offset in offsets:
        result |= bits << offset
    return result
