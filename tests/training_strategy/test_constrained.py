from __future__ import annotations

import numpy as np
import pytest

from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.errors import Infeasible, UsageError
from nascli.testing import TrainingStrategyContract
from nascli.testing.spaces import usual
from nascli.training_strategy.constrained import Constrained
from tests.cost.helpers import chi_square, inside, nested

from .helpers import arch_of, cell_costs, flat, ready, updates


class TestConstrained(TrainingStrategyContract):
    make = Constrained

    def feasible_sets(self) -> list[FeasibleSet]:
        return [feasible for feasible in usual() if feasible.constraints]


@pytest.mark.parametrize(
    ("model", "constraints"),
    [
        (flat(3, 4, 4), ["macs<=6"]),
        (nested(), ["macs<=22", "macs>=14"]),
        (cell_costs(), ["macs<=250", "latency_ms<=2.5"]),
    ],
    ids=["chain", "nested", "two metrics"],
)
def test_paths_are_uniform_over_those_that_meet_the_constraint(model: CostModel, constraints: list[str]) -> None:
    strategy, among = ready(Constrained(), model, *constraints), inside(model, *constraints)
    assert 0 < len(among) < model.space.count
    forwards = [updates(strategy, step)[0].passes[0].forward for step in range(60 * len(among))]
    drawn = np.array([arch_of(forward, model.space) for forward in forwards])
    assert abs(chi_square(drawn, among)) < 5


def test_a_step_is_one_path_on_the_labels() -> None:
    (update,) = updates(ready(Constrained(), flat(3, 4), "macs<=4"), 0)
    (path,) = update.passes
    assert (update.split, update.params, update.penalty) == ("train", "weights", None)
    assert (path.target, path.scale) == ("labels", 1.0)


def test_training_without_a_constraint_is_refused() -> None:
    with pytest.raises(UsageError, match="needs a constraint") as caught:
        ready(Constrained(), flat(3, 4))
    assert "--constraint 'macs<=" in caught.value.hint


def test_a_constraint_that_nothing_meets_is_refused_before_training() -> None:
    with pytest.raises(Infeasible, match="no architecture meets macs<=0"):
        ready(Constrained(), flat(3, 4), "macs<=0")
