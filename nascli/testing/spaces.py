"""Small search spaces with costs, small enough to try everything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nascli.cost.constraint import Constraint
from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel, Factor, Metric
from nascli.space import Decision, Space

SHAPE, CLASSES = (1, 8, 8), 10


def chain(costs: Sequence[Sequence[int]]) -> CostModel:
    """Independent decisions; `costs` are the MACs of their candidates."""
    decisions = (Decision(f"layer_{i}", tuple(f"op_{j}" for j in range(len(row)))) for i, row in enumerate(costs))
    factors = tuple(Factor((i,), np.array(row)) for i, row in enumerate(costs))
    return _model(Space("chain", tuple(decisions), SHAPE, CLASSES), factors)


def nested() -> CostModel:
    """Two decisions of which the second exists only where the first chooses a block, and a third one."""
    decisions = (
        Decision("block", ("skip", "conv", "mobile")),
        Decision("expansion", ("e2", "e4", "e6"), active_if=(("block", (1, 2)),)),
        Decision("tail", ("none", "pool")),
    )
    joint = np.array([[0, 0, 0], [4, 5, 6], [6, 8, 10]])
    return _model(Space("nested", decisions, SHAPE, CLASSES), (Factor((0, 1), joint), Factor((2,), np.array([0, 1]))))


def _model(space: Space, factors: tuple[Factor, ...]) -> CostModel:
    return CostModel(space, {"macs": Metric("macs", "MAC", 10, factors, exact=True)})


def feasible(model: CostModel, *constraints: str) -> FeasibleSet:
    """The architectures that meet constraints such as "macs<=20"."""
    return FeasibleSet(model, [Constraint.parse(text) for text in constraints])


def usual() -> list[FeasibleSet]:
    """A chain and a nested space under a constraint, and a space of one architecture."""
    return [
        feasible(chain([[0, 3, 5], [1, 2, 9, 4], [7, 7, 0]]), "macs<=22"),
        feasible(nested(), "macs<=18"),
        feasible(chain([[3], [4]])),
    ]
