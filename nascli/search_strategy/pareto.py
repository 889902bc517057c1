"""Accuracy against costs: NSGA-II."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from nascli.cost.feasible import FeasibleSet
from nascli.search_strategy.base import Outcome, Score, SearchProblem
from nascli.search_strategy.nondominated import Points, crowding, front_of, fronts, knee
from nascli.search_strategy.screened import Screened
from nascli.space import Archs

Member = tuple[Archs, Score]


class Pareto(Screened):
    """The front of accuracy against one or two costs, by NSGA-II (Deb et al., 2002, doi:10.1109/4235.996017).

    The front is that of everything scored; the history marks its rows, and `pick` says which of them is the result.
    """

    class Config(Screened.Config):
        """Options of the search for a front."""

        metrics: tuple[str, ...] = Field(
            (), max_length=2, description="costs that accuracy is set against; none: the first constraint's, or macs"
        )
        pick: Literal["knee", "accuracy"] | dict[str, float] = Field(
            "knee", description="the result: the front's knee, its best, or its best within bounds such as {macs: 3e7}"
        )
        population: int = Field(
            32, ge=4, description="architectures a generation; fewer where max_evaluations would not last for five"
        )
        crossover: float = Field(0.5, ge=0, le=1, description="share of the offspring that two parents make")
        mutation: float = Field(0.1, ge=0, le=1, description="probability of each decision to change in a mutation")

    config: Config

    def check(self, feasible: FeasibleSet) -> None:
        """Raises UsageError for a metric that has no costs."""
        bounds = self.config.pick if isinstance(self.config.pick, dict) else {}
        for name in (*self._metrics(feasible), *bounds):
            feasible.model[name]

    def _metrics(self, feasible: FeasibleSet) -> list[str]:
        usual = [feasible.leading] if feasible.leading else []
        return list(dict.fromkeys(self.config.metrics or usual))

    def begin(self, problem: SearchProblem, rng: np.random.Generator) -> None:
        """Start without members."""
        super().begin(problem, rng)
        self._against = self._metrics(problem.feasible)
        self._size = self.affordable(self.config.population)
        self._members: list[Member] = []

    def ask(self) -> Archs:
        """A generation: drawn at first, then offspring of members that win tournaments."""
        if len(self._members) < 2:
            return self.drawn(self._size)
        return self.fresh(self._size, self._child)

    def _child(self) -> Archs:
        feasible, rng = self._problem.feasible, self._rng
        if rng.random() < self.config.crossover:
            return feasible.crossover(self._parent(), self._parent(), rng)
        return feasible.mutate(self._parent(), self.config.mutation, rng)

    def _parent(self) -> Archs:
        """The better of two members; they stand in order of rank and room."""
        first, second = self._rng.integers(len(self._members), size=2).tolist()
        winner: Archs = self._members[min(first, second)][0]
        return winner

    def tell(self, archs: Archs, scores: Sequence[Score]) -> None:
        """Keep the first fronts of members and offspring; of the last one that fits in part, those with most room."""
        super().tell(archs, scores)
        pool = [*self._members, *((a, s) for a, s in zip(archs, scores, strict=True) if s.error is None)]
        pool = list({arch.tobytes(): (arch, score) for arch, score in pool}.values())
        if pool:
            points = self._points(np.array([arch for arch, _ in pool]), [score.accuracy for _, score in pool])
            self._members = [pool[row] for row in ranked(points)[: self._size]]

    def _points(self, archs: Archs, accuracies: Sequence[float] | Points) -> Points:
        """Objectives (n, 1 + metrics), all to be small."""
        costs = [self._problem.costs.total(name, archs).astype(np.float64) for name in self._against]
        return np.stack([-np.asarray(accuracies), *costs], axis=1)

    def preferred(self, archs: Archs, predicted: Points) -> list[int]:
        """By rank and room, with predicted accuracies."""
        return ranked(self._points(archs, predicted))

    def outcome(self, problem: SearchProblem, tried: Sequence[tuple[Archs, Score]]) -> Outcome:
        """The front of all that was tried, the picked one first, the others from the most accurate down."""
        scored = [(arch, score) for arch, score in tried if score.error is None]
        if not scored:
            return super().outcome(problem, tried)
        archs = np.array([arch for arch, _ in scored])
        archs = archs[problem.order(archs, [score for _, score in scored])]
        accuracy = {arch.tobytes(): score.accuracy for arch, score in scored}
        points = self._points(archs, [accuracy[arch.tobytes()] for arch in archs])
        rows = front_of(points)
        first = self._picked(archs[rows], points[rows])
        front = archs[[rows[first], *np.delete(rows, first)]]
        pick = self.config.pick if isinstance(self.config.pick, str) else dict(self.config.pick)
        facts = {"front": {"metrics": self._against, "size": len(rows), "pick": pick}}
        return Outcome(front, {**self.facts(), **facts}, len(rows))

    def _picked(self, archs: Archs, points: Points) -> int:
        """The row of the front (n, d) that is the result; bounds that none meets are broken as little as can be."""
        pick = self.config.pick
        if pick == "accuracy":
            return 0
        if not isinstance(pick, Mapping):
            return knee(points)
        costs: dict[str, Any] = {name: self._problem.costs.total(name, archs) for name in pick}
        excess = [np.maximum(0, costs[name] - bound) / max(bound, 1e-9) for name, bound in pick.items()]
        return int(np.lexsort((np.arange(len(archs)), np.max(excess, axis=0)))[0])


def ranked(points: Points) -> list[int]:
    """All rows of (n, m) points by front, and within a front from the most room down."""
    return [int(rows[i]) for rows in fronts(points) for i in np.argsort(-crowding(points[rows]), kind="stable")]
