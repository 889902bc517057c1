"""Two metrics held inside their windows together, and what to say when no architecture meets both."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from nascli.cost.grid import Grid
from nascli.cost.restriction import Restriction
from nascli.errors import Infeasible


class Pair:
    """Two restrictions that single architectures meet, though perhaps none meets both."""

    def __init__(self, first: Restriction, second: Restriction) -> None:
        self.first, self.second = first, second

    @cached_property
    def grid(self) -> Grid:
        """The costs of both in bins."""
        costs, bases, windows = zip(*(restriction.counted for restriction in (self.first, self.second)), strict=True)
        return Grid.joint(costs, bases, windows)

    def infeasible(self) -> Infeasible:
        """What to tell when no architecture meets both: how near the second comes under the first."""
        what = f"no architecture meets both {self.first.described} and {self.second.described}"
        name, (lower, upper) = self.second.metric.name, self.second.window
        smallest, largest = self._extreme(-1), self._extreme(1)
        if smallest is not None and smallest > upper:
            return self._beyond(what, f"the smallest {name}", smallest, upper=True)
        if largest is not None and largest < lower:
            return self._beyond(what, f"the largest {name}", largest, upper=False)
        return Infeasible(what, hint=f"widen the window of {name} or of {self.first.metric.name}")

    def _beyond(self, what: str, extreme: str, total: float, *, upper: bool) -> Infeasible:
        why = f"under {self.first.described} {extreme} found is {self.second.text(total)}"
        return Infeasible(what, why=why, hint=f"replace its bound: {self.second.works(total, upper=upper)}")

    def _extreme(self, sign: int) -> float | None:
        """The smallest (-1) or largest (1) total of the second that was found within the window of the first."""
        scores = [sign * cost.astype(np.float64) for cost in self.second.costs]
        for rows in self.first.grid.best(scores).archs():
            archs = self.first.states.decode(rows)
            inside = np.flatnonzero(self.first.holds(archs))
            if len(inside):
                total: float = self.second.metric.total(archs[inside[:1]])[0].item()
                return total
        return None
