"""The best additive score by dynamic programming: for every sum of bins, what one state a group can reach."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from nascli.cost.states import States
from nascli.cost.steps import Offsets, Ranges, Steps, region, shapes

Scores = npt.NDArray[np.float64]

ENDS = 4096  # sums whose best architecture is looked at
AT_ONCE = 256


class BestTable:
    """The best score of the groups before each group, for each sum of bins.

    Args:
        offsets: (n_states, a) a group, in bins of each of `a` metrics.
        outer: the sums that a feasible architecture may have.
        inner: the sums that only feasible ones have, as far as these metrics tell.
        scores: (n_states,) a group, finite.
    """

    def __init__(self, offsets: Sequence[Offsets], outer: Ranges, inner: Ranges, scores: Sequence[Scores]) -> None:
        self._steps = list(map(Steps, offsets))
        self._best = [_best(steps, score) for steps, score in zip(self._steps, scores, strict=True)]
        self._outer, self._inner = outer, inner
        self._levels = self._forward()

    def _forward(self) -> list[Scores]:
        """Level g is over the sums that the groups before g can have; -inf where none of them has it."""
        sizes = shapes(self._steps, self._outer)
        level = np.full(sizes[0], -np.inf)
        level[(slice(0, 1),) * len(self._outer)] = 0.0
        levels = [level]
        for steps, (_, scores), size in zip(self._steps, self._best, sizes[1:], strict=True):
            before, level = level, np.full(size, -np.inf)
            for offset, score in zip(steps.shifts(), scores.tolist(), strict=True):
                place = level[region(offset, before.shape)]
                np.maximum(place, before[region((0,) * len(offset), place.shape)] + score, out=place)
            levels.append(level)
        return levels

    @property
    def bound(self) -> float:
        """No architecture inside the windows scores more; -inf where there is none."""
        return float(self._within(self._outer).max(initial=-np.inf))

    def _within(self, ends: Ranges) -> Scores:
        """The last level with -inf at all sums that are outside of `ends`."""
        level, window = self._levels[-1], tuple(slice(max(0, first), last + 1) for first, last in ends)
        result = np.full(level.shape, -np.inf)
        if all(first <= last for first, last in ends):
            result[window] = level[window]
        return result

    def archs(self, near: Sequence[int] | None = None) -> Iterator[States]:
        """Rows of states (n, g) in batches, best first: for each sum one of the best architectures that has it.

        As many sums as `ENDS`, and then the best of those whose architectures are surely inside the windows.

        Args:
            near: sums of bins; of equal scores, those whose sums are nearer to it come first.
        """
        scores = self._within(self._outer).ravel()
        alive = np.flatnonzero(scores > -np.inf)
        if len(alive) > ENDS and near is None:
            alive = np.sort(alive[np.argpartition(-scores[alive], ENDS)[:ENDS]])
        distance = self._distance(alive, near) if near is not None else alive
        order = alive[np.lexsort((alive, distance, -scores[alive]))][:ENDS]
        sure = self._within(self._inner).ravel()
        if sure.max(initial=-np.inf) > -np.inf:
            order = np.append(order, sure.argmax())
        for start in range(0, len(order), AT_ONCE):
            yield self._walk(order[start : start + AT_ONCE])

    def _distance(self, places: Offsets, near: Sequence[int]) -> Offsets:
        sums = np.unravel_index(places, self._levels[-1].shape)
        distance: Offsets = np.sum([np.abs(row - wanted) for row, wanted in zip(sums, near, strict=True)], axis=0)
        return distance

    def _walk(self, places: Offsets) -> States:
        """The states (n, g) that lead to the best score at each of the places of the last level."""
        sums = np.array(np.unravel_index(places, self._levels[-1].shape), dtype=np.int64)
        states = np.empty((len(places), len(self._steps)), dtype=np.int64)
        for g in reversed(range(len(self._steps))):
            steps, (firsts, scores), level = self._steps[g], self._best[g], self._levels[g]
            before = sums[:, None] - steps.offsets[:, :, None]
            sizes = np.array(level.shape)[:, None, None]
            known = ((before >= 0) & (before < sizes)).all(axis=0)
            reached = level[tuple(np.where(known, before, 0))] + scores[:, None]
            step = np.where(known, reached, -np.inf).argmax(axis=0)
            states[:, g] = firsts[step]
            sums -= steps.offsets[:, step]
        return states


def _best(steps: Steps, scores: Scores) -> tuple[States, Scores]:
    """Of each distinct offset the first state with the best score, and that score."""
    ordered = scores[steps.states]
    best = np.maximum.reduceat(ordered, steps.starts)
    is_best = ordered == np.repeat(best, steps.times)
    places = np.where(is_best, np.arange(len(ordered)), len(ordered))
    return steps.states[np.minimum.reduceat(places, steps.starts)], best
