"""Prior architectures over the whole range of a cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nascli.cost.constraint import Constraint
from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.errors import Infeasible
from nascli.space import Archs


@dataclass(frozen=True, eq=False)
class PriorPool:
    """Architectures (n, d) in ascending order of their costs (n,), the cheapest and the costliest among them."""

    archs: Archs
    costs: npt.NDArray[np.float64]

    @classmethod
    def of(cls, archs: Archs, model: CostModel, metric: str) -> PriorPool:
        """The pool of some architectures."""
        costs = model.total(metric, archs).astype(np.float64)
        order = np.argsort(costs, kind="stable")
        return cls(archs[order], costs[order])

    @classmethod
    def drawn(cls, model: CostModel, metric: str, targets: int, each: int, rng: np.random.Generator) -> PriorPool:
        """`each` draws near every one of evenly spaced targets, uniform over the architectures near it."""
        whole = FeasibleSet(model)
        low, high = whole.bounds(metric)
        edges = np.linspace(low, high, targets + 1)
        found = [whole.cheapest(metric)[None], whole.costliest(metric)[None]]
        for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            near = FeasibleSet(model, [Constraint(metric, first, upper=False), Constraint(metric, last, upper=True)])
            try:
                found.append(near.sample(each, rng))
            except Infeasible:  # no architecture costs that: targets there have neighbours
                continue
        return cls.of(np.concatenate(found), model, metric)

    def near(self, total: float, n: int) -> Archs:
        """The `n` priors whose costs are nearest to a total, nearest first; fewer where there are fewer."""
        nearest = np.argsort(np.abs(self.costs - total), kind="stable")
        return self.archs[nearest[:n]]
