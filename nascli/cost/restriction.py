"""One metric held inside a window: how many architectures meet it, draws of them, and what to say when none does."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from nascli.cost.bins import Binning, bin_costs
from nascli.cost.constraint import Constraint, Window, describe, percent, stated, tightened
from nascli.cost.grid import Grid
from nascli.cost.model import Costs, Metric
from nascli.cost.states import StateSpace
from nascli.errors import Infeasible
from nascli.space import Archs

NAMED = 12
MAX_REACH_BITS = 2**31


class Restriction:
    """A metric and the window that its totals must lie in, both bounds inclusive.

    Args:
        window: as it was stated.
        margin: relative error of the totals that must not lead out of it.
    """

    def __init__(self, states: StateSpace, metric: Metric, window: Window, margin: float = 0.0) -> None:
        self.states, self.metric, self.margin = states, metric, margin
        self.stated, self.window = window, tightened(window, margin) if margin else window

    @cached_property
    def costs(self) -> list[Costs]:
        """What each state of each group adds, (n_states,) a group."""
        return self.states.costs(self.metric)

    @cached_property
    def grid(self) -> Grid:
        """The costs in bins."""
        return Grid([self._binning])

    @cached_property
    def counted(self) -> tuple[list[Costs], int | float, Window]:
        """Costs that add up, a base and a window that say the same as this restriction.

        Of a maximum, a state above the window counts for more than all groups together, one inside of it for 1.
        """
        if self.metric.joins == "sum":
            return self.costs, self.metric.base, self.window
        (lower, upper), most = self.window, len(self.costs) + 1
        parts = [np.where(c > upper, most + 1, c >= lower).astype(np.int64) for c in self.costs]
        base = most + 1 if self.metric.base > upper else int(self.metric.base >= lower)
        return parts, base, (1, most)

    @cached_property
    def _binning(self) -> Binning:
        return bin_costs(*self.counted)

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
        costs = self.costs
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
        what = f"no architecture meets {self.described}"
        if smallest > self.window[1]:
            return self._beyond(f"{what}: the smallest reachable is", smallest, self.cheapest, upper=True)
        if largest < self.window[0]:
            return self._beyond(f"{what}: the largest reachable is", largest, self.costliest, upper=False)
        return self._between(what)

    @property
    def described(self) -> str:
        """The window as it was stated, and the margin, where there is one."""
        margin = f" with a margin of {percent(self.margin)}" if self.margin else ""
        return f"{describe(self.metric.name, self.stated)}{margin}"

    def _beyond(self, what: str, total: float, arch: Archs, *, upper: bool) -> Infeasible:
        rest = ",…" if len(arch) > NAMED else ""
        names = ",".join(str(i) for i in arch[:NAMED].tolist())
        return Infeasible(f"{what} {self.text(total)} ({names}{rest})", hint=self.works(total, upper=upper))

    def works(self, total: float, *, upper: bool) -> str:
        """The option whose bound an architecture of this total meets."""
        bound = stated(total, self.margin, upper=upper) if self.margin else total
        return f"--constraint '{Constraint(self.metric.name, bound, upper)}'"

    def _between(self, what: str) -> Infeasible:
        nearest = self._nearest()
        if nearest is None:
            smallest, largest = map(self.text, self.bounds)
            hint = f"widen the window of {self.metric.name}"
            return Infeasible(f"{what}: totals run from {smallest} to {largest}, and none lies inside", hint=hint)
        below, above = nearest
        what = f"{what}: the nearest reachable are {self.text(below)} and {self.text(above)}"
        return Infeasible(what, hint=self.works(above, upper=True))

    def _nearest(self) -> tuple[int, int] | None:
        """The nearest reachable totals below and above the window; None where that is not cheap to know."""
        binning = self._binning
        top = sum(int(offsets.max()) for offsets in binning.offsets)
        steps = [np.unique(offsets).tolist() for offsets in binning.offsets]
        if self.metric.joins == "max" or not binning.exact or (top + 1) * sum(map(len, steps)) > MAX_REACH_BITS:
            return None
        reachable = 1  # bit k: some architecture is k bins above the first one
        for offsets in steps:
            reachable = _shifted(reachable, offsets)
        first, last = binning.outer
        before = (reachable & ((1 << first) - 1)).bit_length() - 1
        over = reachable >> (last + 1)
        after = last + 1 + (over & -over).bit_length() - 1
        totals = [binning.sign * (int(binning.origin) + k * int(binning.step)) for k in (before, after)]
        return min(totals), max(totals)

    def text(self, total: float) -> str:
        """A total with its name: "macs=30"."""
        return str(Constraint(self.metric.name, total, upper=True)).replace("<=", "=")


def _shifted(bits: int, offsets: list[int]) -> int:
    result = 0
    for offset in offsets:
        result |= bits << offset
    return result
