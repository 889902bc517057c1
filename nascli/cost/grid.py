"""The sums that one or two metrics may have together, in bins: counted, drawn from, searched for the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from nascli.cost import bins
from nascli.cost.best_table import BestTable, Scores
from nascli.cost.bins import Binning, bin_costs
from nascli.cost.constraint import Window
from nascli.cost.counting_table import Count, CountingTable
from nascli.cost.model import Costs
from nascli.cost.states import States
from nascli.cost.steps import Offsets, Ranges

MAX_CELLS = 2**20
MAX_BYTES = 192 * 2**20
MAX_ADDITIONS = 2**29


class Grid:
    """Windows of one metric, or of two together, as ranges of sums of bins."""

    def __init__(self, binnings: Sequence[Binning]) -> None:
        self.binnings = tuple(binnings)

    @classmethod
    def joint(cls, costs: Sequence[Sequence[Costs]], bases: Sequence[int | float], windows: Sequence[Window]) -> Grid:
        """Of two metrics, with as many bins of each as fit into memory together.

        Args:
            costs: of each metric (n_states,) a group.
            bases: of each metric what every architecture costs.
            windows: of each metric lower and upper bound, both inclusive.
        """
        n_groups, n_states = len(costs[0]), sum(map(len, costs[0]))
        cells = max(1, min(MAX_CELLS, MAX_BYTES // (8 * n_groups), MAX_ADDITIONS // n_states))
        first = bin_costs(costs[0], bases[0], windows[0], math.isqrt(cells))
        second = bin_costs(costs[1], bases[1], windows[1], _share(cells, first))
        return cls([bin_costs(costs[0], bases[0], windows[0], _share(cells, second)), second])

    @property
    def exact(self) -> bool:
        """Whether the sums inside the outer ranges are those inside the windows."""
        return all(binning.exact for binning in self.binnings)

    @cached_property
    def _offsets(self) -> list[Offsets]:
        return [np.stack(offsets, axis=1) for offsets in zip(*(b.offsets for b in self.binnings), strict=True)]

    @property
    def _outer(self) -> Ranges:
        return tuple(binning.outer for binning in self.binnings)

    @property
    def _inner(self) -> Ranges:
        return tuple(binning.inner for binning in self.binnings)

    @cached_property
    def table(self) -> CountingTable:
        """The table that draws every architecture inside the windows, and with real costs some just outside."""
        return CountingTable(self._offsets, self._outer)

    @cached_property
    def count(self) -> Count:
        """How many canonical architectures lie inside the windows."""
        if self.exact:
            return self.table.count
        return Count(CountingTable(self._offsets, self._inner).count.lower, self.table.count.upper)

    def sums(self, states: States) -> list[int]:
        """The sum of bins of each metric for one row of states (g,)."""
        rows = [offsets[state] for offsets, state in zip(self._offsets, states.tolist(), strict=True)]
        return [int(total) for total in np.sum(rows, axis=0)]

    def best(self, scores: Sequence[Scores]) -> BestTable:
        """The best sum of scores, (n_states,) a group, for every sum of bins."""
        return BestTable(self._offsets, self._outer, self._inner, scores)


def _share(cells: int, other: Binning) -> int:
    """The bins of one metric beside those of another."""
    return max(1, min(bins.BINS, cells // other.n_bins))
