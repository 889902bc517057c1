"""The feasible architecture that is nearest to a given one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nascli.cost.restriction import Restriction
from nascli.cost.states import States
from nascli.space import Archs

if TYPE_CHECKING:
    from nascli.cost.feasible import FeasibleSet

MAX_PAIRS = 2**22
AT_ONCE = 1024
SAMPLES = 4096  # that stand in where no architecture of the table is feasible
ROUNDING = 1e-9  # relative: what adding differences of costs may lose; whatever is found is checked

Moved = npt.NDArray[np.float64]


def repaired(feasible: FeasibleSet, restrictions: Sequence[Restriction], arch: Archs) -> Archs:
    """See `FeasibleSet.repair`: one and two changes are all looked at, with the true costs; more in bins."""
    states = feasible.states.encode(np.atleast_2d(arch))
    for rows in _tries(feasible, restrictions, states[0]):
        fitting = np.flatnonzero(feasible.fits(rows))
        if len(fitting):
            return np.array(feasible.states.decode(rows[fitting[:1]])[0])
    archs = feasible.sample(SAMPLES, np.random.default_rng(0))
    changes = (feasible.states.encode(archs) != states).sum(axis=1)
    return np.array(archs[np.lexsort((*archs.T[::-1], changes))[0]])


def _tries(feasible: FeasibleSet, restrictions: Sequence[Restriction], states: States) -> Iterator[States]:
    yield states[None]
    if feasible.driver is None:
        return
    moves = _Moves(
        restrictions, states, [r.metric.total(feasible.states.decode(states[None]))[0] for r in restrictions]
    )
    yield from moves.single()
    yield from moves.double()
    same = [-1.0 * (np.arange(size) != state) for size, state in zip(feasible.states.sizes, states, strict=True)]
    yield from feasible.driver.best(same).archs(feasible.driver.sums(states))


class _Moves:
    """All other states of all groups, and what moving to each adds to each restricted total."""

    def __init__(self, restrictions: Sequence[Restriction], states: States, totals: Sequence[float]) -> None:
        self._states = states
        sizes = [len(cost) for cost in restrictions[0].costs]
        groups = np.repeat(np.arange(len(sizes)), sizes)
        to = np.concatenate([np.arange(size) for size in sizes])
        moves = to != states[groups]
        self.groups, self.to = groups[moves], to[moves]
        self.deltas = np.array([self._added(r)[moves] for r in restrictions], dtype=np.float64)
        self.spans = [self._missing(r, total) for r, total in zip(restrictions, totals, strict=True)]
        self.scales = [max(abs(total), 1e-300) for total in totals]

    def _added(self, restriction: Restriction) -> Moved:
        rows = zip(restriction.costs, self._states.tolist(), strict=True)
        return np.concatenate([cost.astype(np.float64) - float(cost[state]) for cost, state in rows])

    def _missing(self, restriction: Restriction, total: float) -> tuple[float, float]:
        slack = ROUNDING * (1 + max(map(abs, restriction.bounds)))
        return restriction.window[0] - total - slack, restriction.window[1] - total + slack

    def single(self) -> Iterator[States]:
        """Rows of states (n, g) with one change that may fit, the nearest costs first."""
        return self._rows(*self._fitting(self.deltas), lambda places: (places,))

    def double(self) -> Iterator[States]:
        """Rows of states (n, g) with two changes that may fit, the nearest costs first."""
        n = len(self.to)
        if n * n > MAX_PAIRS:
            return iter(())
        later = self.groups[:, None] < self.groups
        places, cost = self._fitting(self.deltas[:, :, None] + self.deltas[:, None, :], later)
        return self._rows(places, cost, lambda flat: np.divmod(flat, n))

    def _fitting(self, deltas: Moved, among: npt.NDArray[np.bool_] | bool = True) -> tuple[States, Moved]:
        """Flat places of the changes that may fit, and how far they move the costs, relative."""
        fits = np.full(deltas.shape[1:], among)
        for delta, (low, high) in zip(deltas, self.spans, strict=True):
            fits &= (delta >= low) & (delta <= high)
        places = np.flatnonzero(fits)
        moved = (np.abs(d).ravel()[places] / s for d, s in zip(deltas, self.scales, strict=True))
        return places, np.sum(list(moved), axis=0)

    def _rows(self, places: States, moved: Moved, parts: Callable[[States], tuple[States, ...]]) -> Iterator[States]:
        order = places[np.lexsort((places, moved))]
        for start in range(0, len(order), AT_ONCE):
            chosen = order[start : start + AT_ONCE]
            rows = np.repeat(self._states[None], len(chosen), axis=0)
            for moves in parts(chosen):
                rows[np.arange(len(chosen)), self.groups[moves]] = self.to[moves]
            yield rows
