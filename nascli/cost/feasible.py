"""Feasible sets: which architectures meet the constraints, known before any forward pass.

The groups of a space are independent, so dynamic programming over their states counts the architectures inside
a window and draws them uniformly. Real costs are quantised; a draw then comes from a window widened by the worst
quantisation error and is accepted on its true cost, which keeps it uniform.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from nascli.cost.constraint import Constraint, windows
from nascli.cost.counting_table import Count
from nascli.cost.model import CostModel
from nascli.cost.restriction import Restriction
from nascli.cost.states import States, StateSpace
from nascli.errors import Infeasible
from nascli.space import Archs

Status = Literal["feasible", "infeasible", "undecided"]

PROBES = 2**17  # draws to settle whether anything is feasible, and at most for each sample
BATCH = 2**14
RETRIES = 50  # tries of a mutation or a crossover
SAMPLES = 8  # that stand in for a mutation when no try was feasible


class FeasibleSet:
    """The canonical architectures of a space that meet all constraints; without constraints, all of them.

    Args:
        model: the costs; factors of a constrained metric lie within one group of the space.
        constraints: any number, several on one metric allowed; all must hold.

    Raises:
        UsageError: a constraint on a metric that the model does not have.
        Infeasible: two constraints on one metric exclude each other.
    """

    def __init__(self, model: CostModel, constraints: Sequence[Constraint] = ()) -> None:
        self.model, self.space, self.constraints = model, model.space, tuple(constraints)
        self._states = StateSpace(model.space)
        found = windows(constraints)
        self._restrictions = [Restriction(self._states, model[name], window) for name, window in found.items()]

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
        return Restriction(self._states, self.model[metric], (-np.inf, np.inf))

    @cached_property
    def count(self) -> Count:
        """How many there are. Exact for one constraint on a whole metric, up to rounding beyond 2**53."""
        lower, upper = self._guaranteed, min((r.count.upper for r in self._restrictions), default=self.space.count)
        return Count(max(lower, 1) if self.status == "feasible" else lower, upper)

    @cached_property
    def _guaranteed(self) -> int:
        """At least this many meet all constraints: all architectures less those that miss some."""
        total = self.space.count
        return max(0, total - sum(total - r.count.lower for r in self._restrictions))

    @cached_property
    def status(self) -> Status:
        """Whether anything is feasible; "undecided" when the counts leave it open and no draw was."""
        if any(r.count.upper == 0 for r in self._restrictions):
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
            if restriction.count.upper == 0:
                raise restriction.infeasible()
        why = f"none of {PROBES} draws was feasible, though the counts do not rule it out"
        raise self._gave_up("no architecture", why)

    def _probe(self) -> bool:
        """Whether an extreme architecture or one of a fixed number of draws is feasible."""
        if any(self.contains(np.stack([r.cheapest, r.costliest])).any() for r in self._restrictions):
            return True
        rng = np.random.default_rng(0)
        return self._drawable and any(self.contains(self._draw(BATCH, rng)).any() for _ in range(PROBES // BATCH))

    def _gave_up(self, what: str, why: str) -> Infeasible:
        texts = [str(constraint) for constraint in self.constraints]
        hint = "loosen the tightest of them" if len(texts) > 1 else f"loosen {texts[0]}"
        return Infeasible(f"found {what} for {' and '.join(texts)}", why=why, hint=hint)

    @cached_property
    def _driver(self) -> Restriction | None:
        """The restriction whose table draws: the one that leaves the fewest architectures."""
        return min(self._restrictions, key=lambda restriction: restriction.count.upper, default=None)

    @property
    def _drawable(self) -> bool:
        return self._driver is None or self._driver.table.drawable

    def _draw(self, n: int, rng: np.random.Generator) -> Archs:
        if self._driver is not None:
            return self._states.decode(self._driver.table.sample(n, rng))
        return self._states.decode(rng.integers(0, self._states.sizes, size=(n, len(self._states.sizes))))

    def contains(self, archs: Archs) -> npt.NDArray[np.bool_]:
        """Whether each of the architectures (n, d), made canonical first, meets all constraints, (n,)."""
        archs = self.space.canonical(np.atleast_2d(archs))
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
        kept: list[Archs] = [np.empty((0, len(self.space.decisions)), dtype=np.int64)]
        found = drawn = 0
        limit = (n + 1) * PROBES if self._drawable else 0
        while found < n and drawn < limit:
            expected = (n - found) * (drawn + 1) // (found + 1)
            size = min(max(expected, 1), BATCH, limit - drawn)
            archs = self._draw(size, rng)
            kept.append(archs[self.contains(archs)])
            found, drawn = found + len(kept[-1]), drawn + size
        if found < n:
            raise self._gave_up("too few architectures", f"{found} of {drawn} draws were feasible, {n} were wanted")
        return np.concatenate(kept)[:n]

    def mutate(self, arch: Archs, probability: float, rng: np.random.Generator) -> Archs:
        """A feasible variation (d,) of `arch` (d,): each group moves to another state with `probability`.

        At least one group moves where there is more than one architecture. When no try is feasible, it is a
        uniform sample, and another architecture than `arch` if any of a few samples is.
        """
        parent, sizes = self._states.encode(np.atleast_2d(arch))[0], self._states.sizes
        free = np.flatnonzero(sizes > 1)
        if not len(free):
            return np.array(self.sample(1, rng)[0])
        moves = rng.random((RETRIES, len(sizes))) < probability
        forced = np.flatnonzero(~moves[:, free].any(axis=1))
        moves[forced, rng.choice(free, len(forced))] = True
        steps = rng.integers(1, np.maximum(sizes, 2), size=moves.shape)
        child = self._first(np.where(moves, (parent + steps) % sizes, parent))
        if child is not None:
            return child
        archs = self.sample(SAMPLES, rng)
        other = (self._states.encode(archs) != parent).any(axis=1)
        return np.array(archs[other.argmax()])

    def crossover(self, a: Archs, b: Archs, rng: np.random.Generator) -> Archs:
        """A feasible child (d,) of two feasible architectures (d,): each group's state comes from either.

        Children unlike both parents come first; when no try is feasible, it is one of the parents.
        """
        parents = self._states.encode(np.stack([a, b]))
        from_b = rng.random((RETRIES, parents.shape[1])) < 0.5
        tries = np.where(from_b, parents[1], parents[0])
        known = (tries == parents[0]).all(axis=1) | (tries == parents[1]).all(axis=1)
        child = self._first(np.concatenate([tries[~known], rng.permutation(parents)]))
        return np.array(self.sample(1, rng)[0]) if child is None else child

    def _first(self, states: States) -> Archs | None:
        """The first feasible architecture (d,) of rows of states (n, g)."""
        archs = self._states.decode(states)
        inside = np.flatnonzero(self.contains(archs))
        return np.array(archs[inside[0]]) if len(inside) else None
