"""Feasible sets: which architectures meet the constraints, known before any forward pass.

The groups of a space are independent, so dynamic programming over their states counts the architectures inside
a window and draws them uniformly. Real costs are quantised; a draw then comes from a window widened by the worst
quantisation error and is accepted on its true cost, which keeps it uniform.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nascli.cost.additive import Best, best_of
from nascli.cost.constraint import Constraint, windows
from nascli.cost.counting_table import Count
from nascli.cost.grid import Grid
from nascli.cost.model import CostModel, Metric
from nascli.cost.pair import Pair
from nascli.cost.repair import repaired
from nascli.cost.restriction import Restriction
from nascli.cost.states import States, StateSpace
from nascli.cost.variation import crossed, mutated, neighbours
from nascli.errors import Infeasible, UsageError
from nascli.space import Archs

Margin = float | Mapping[str, float] | None
Status = Literal["feasible", "infeasible", "undecided"]

PROBES = 2**17  # draws to settle whether anything is feasible, and at most for each sample
BATCH = 2**15


class FeasibleSet:
    """The canonical architectures of a space that meet all constraints; without constraints, all of them.

    Args:
        model: the costs; factors of a constrained metric lie within one group of the space.
        constraints: any number, several on one metric allowed; all must hold.
        margin: how far, relative to its total, the true cost of an architecture may lie above or below it without
            breaking a constraint: one number for all metrics that are not exact, one a metric, or None for what each
            metric itself states as its error.

    Attributes:
        margins: the margin of each constrained metric that has one.

    Raises:
        UsageError: a constraint on a metric that the model does not have, or a margin below 0.
        Infeasible: two constraints on one metric exclude each other.
    """

    def __init__(self, model: CostModel, constraints: Sequence[Constraint] = (), *, margin: Margin = 0.0) -> None:
        self.model, self.space, self.constraints = model, model.space, tuple(constraints)
        self.states = StateSpace(model.space)
        found = windows(constraints)
        self.margins = _margins({name: model[name] for name in found}, margin)
        margins = [self.margins.get(name, 0.0) for name in found]
        rows = zip(found.items(), margins, strict=True)
        self._restrictions = [Restriction(self.states, model[name], window, m) for (name, window), m in rows]

    @property
    def leading(self) -> str | None:
        """The metric that is meant where none is named: the first constraint's, else macs, else any; None without."""
        usual = [*(constraint.metric for constraint in self.constraints), "macs", *sorted(self.model.metrics)]
        return next((name for name in usual if name in self.model.metrics), None)

    def bounds(self, metric: str) -> tuple[float, float]:
        """The smallest and the largest total of `metric` over the whole space, constraints or not."""
        return self._whole(metric).bounds

    def cheapest(self, metric: str) -> Archs:
        """An architecture (d,) of the whole space with the smallest total of `metric`."""
        return self._whole(metric).cheapest

    def costliest(self, metric: str) -> Archs:
        """An architecture (d,) of the whole space with the largest total of `metric`."""
        return self._whole(metric).costliest

    def _whole(self, metric: str) -> Restriction:
        return Restriction(self.states, self.model[metric], (-np.inf, np.inf))

    @cached_property
    def _pair(self) -> Pair | None:
        """The two metrics whose windows leave the fewest architectures; None with fewer, or where one leaves none."""
        fewest = sorted(self._restrictions, key=lambda restriction: restriction.grid.count.upper)[:2]
        return Pair(*fewest) if len(fewest) == 2 and fewest[0].grid.count.upper else None

    @property
    def _grids(self) -> list[Grid]:
        return [r.grid for r in self._restrictions] + ([self._pair.grid] if self._pair else [])

    @cached_property
    def count(self) -> Count:
        """How many there are. Exact for one whole metric, or two in few bins, up to rounding beyond 2**53."""
        lower, upper = self._guaranteed, min((grid.count.upper for grid in self._grids), default=self.space.count)
        return Count(max(lower, 1) if self.status == "feasible" else lower, upper)

    @cached_property
    def _guaranteed(self) -> int:
        """At least this many meet all constraints: all architectures less those that miss some."""
        total = self.space.count
        apart = total - sum(total - r.grid.count.lower for r in self._restrictions)
        together = self._pair.grid.count.lower if self._pair and len(self._restrictions) == 2 else 0
        return max(0, apart, together)

    @cached_property
    def status(self) -> Status:
        """Whether anything is feasible; "undecided" when the counts leave it open and no draw was."""
        if any(grid.count.upper == 0 for grid in self._grids):
            return "infeasible"
        return "feasible" if self._guaranteed > 0 or self._probe() else "undecided"

    def require(self) -> None:
        """Do nothing when something is feasible.

        Raises:
            Infeasible: nothing is, or nothing was found; the hint says what to loosen, or a constraint that works.
        """
        if self.status == "feasible":
            return
        for restriction in self._restrictions:
            if restriction.grid.count.upper == 0:
                raise restriction.infeasible()
        if self._pair and self._pair.grid.count.upper == 0:
            raise self._pair.infeasible()
        why = f"none of {PROBES} draws was feasible, though the counts do not rule it out"
        raise self._gave_up("no architecture", why)

    def _probe(self) -> bool:
        """Whether an extreme architecture or one of a fixed number of draws is feasible."""
        if any(self.contains(np.stack([r.cheapest, r.costliest])).any() for r in self._restrictions):
            return True
        rng = np.random.default_rng(0)
        return self._drawable and any(self.fits(self._draw(BATCH, rng)).any() for _ in range(PROBES // BATCH))

    def _gave_up(self, what: str, why: str) -> Infeasible:
        texts = [restriction.described for restriction in self._restrictions]
        hint = "loosen the tightest of them" if len(texts) > 1 else f"loosen {texts[0]}"
        return Infeasible(f"found {what} for {' and '.join(texts)}", why=why, hint=hint)

    @cached_property
    def driver(self) -> Grid | None:
        """The bins that draw: those whose range leaves the fewest architectures; None without constraints."""
        return min(self._grids, key=lambda grid: grid.count.upper, default=None)

    @property
    def _drawable(self) -> bool:
        return self.driver is None or self.driver.table.drawable

    def _draw(self, n: int, rng: np.random.Generator) -> States:
        if self.driver is not None:
            return self.driver.table.sample(n, rng)
        return rng.integers(0, self.states.sizes, size=(n, len(self.states.sizes)))

    def contains(self, archs: Archs) -> npt.NDArray[np.bool_]:
        """Whether each of the architectures (n, d), made canonical first, meets all constraints, (n,)."""
        return self._meet(self.space.canonical(np.atleast_2d(archs)))

    def fits(self, states: States) -> npt.NDArray[np.bool_]:
        """Whether each row of states (n, g), one a group, meets all constraints, (n,)."""
        return self._meet(self.states.decode(states))

    def _meet(self, archs: Archs) -> npt.NDArray[np.bool_]:
        inside = np.ones(len(archs), dtype=np.bool_)
        for restriction in self._restrictions:
            inside &= restriction.holds(archs)
        return inside

    def sample(self, n: int, rng: np.random.Generator) -> Archs:
        """`n` architectures (n, d), each uniform over the feasible ones, with replacement.

        Raises:
            Infeasible: nothing is feasible, or too few of a bounded number of draws were.
        """
        self.require()
        kept = np.empty((len(self.states.sizes), n), dtype=np.int64)
        found = drawn = 0
        limit = (n + 1) * PROBES if self._drawable else 0
        while found < n and drawn < limit:
            expected = (n - found) * (drawn + 1) // (found + 1)
            states = self._draw(min(max(expected, 1), BATCH, limit - drawn), rng)
            inside = np.flatnonzero(self.fits(states))[: n - found]
            np.take(states.T, inside, axis=1, out=kept[:, found : found + len(inside)], mode="clip")
            found, drawn = found + len(inside), drawn + len(states)
        if found < n:
            raise self._gave_up("too few architectures", f"{found} of {drawn} draws were feasible, {n} were wanted")
        return np.ascontiguousarray(self.states.decode(kept.T))

    def mutate(self, arch: Archs, probability: float, rng: np.random.Generator) -> Archs:
        """A feasible variation (d,) of `arch` (d,): each group moves to another state with `probability`.

        At least one group moves where there is more than one architecture. When no try is feasible, it is a
        uniform sample, and another architecture than `arch` if any of a few samples is.
        """
        return mutated(self, arch, probability, rng)

    def crossover(self, a: Archs, b: Archs, rng: np.random.Generator) -> Archs:
        """A feasible child (d,) of two feasible architectures (d,): each group's state comes from either.

        Children unlike both parents come first; when no try is feasible, it is one of the parents.
        """
        return crossed(self, a, b, rng)

    def neighbours(self, arch: Archs, changes: Literal[1, 2], rng: np.random.Generator) -> Archs:
        """Feasible architectures (n, d) of which `changes` groups differ from `arch` (d,), each once, in random order.

        All of them for one change in spaces of up to 1,024 such neighbours; else those among as many random ones.
        """
        return neighbours(self, arch, changes, rng)

    def repair(self, arch: Archs) -> Archs:
        """The nearest feasible architecture (d,) to `arch` (d,): fewest changed groups, and among those nearest costs.

        Exact for one or two changes, and for any number where the costs are whole and counted exactly; else what was
        found. The same answer each time.

        Raises:
            Infeasible: nothing is feasible, or nothing was found.
        """
        self.require()
        return repaired(self, self._restrictions, arch)

    def best(self, scores: Sequence[npt.NDArray[Any]]) -> Best:
        """The feasible architecture with the highest sum of scores, and a bound that none exceeds.

        Args:
            scores: (size,) a decision, over its indices, finite; a decision counts where it exists.

        Raises:
            Infeasible: nothing is feasible, or nothing was found.
            ValueError: scores of other shapes, or not finite.
        """
        self.require()
        return best_of(self, scores)


def _margins(metrics: Mapping[str, Metric], margin: Margin) -> dict[str, float]:
    """The margins of the metrics that are measured and have one."""
    if margin is None:
        margin = {name: metric.error or 0.0 for name, metric in metrics.items()}
    wanted = margin if isinstance(margin, Mapping) else dict.fromkeys(metrics, margin)
    if not all(np.isfinite(value) and value >= 0 for value in wanted.values()):
        raise UsageError(f"a margin is a finite number, 0 or more, found {margin}")
    return {name: wanted[name] for name, metric in metrics.items() if not metric.exact and wanted.get(name)}
