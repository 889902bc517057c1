from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nascli.errors import UsageError
from nascli.search_strategy.nondominated import front_of
from nascli.search_strategy.pareto import Pareto

from .helpers import Toy, toy

TABLES = [[0, 2, 5, 9], [0, 1, 4, 6], [0, 3, 4, 8]]


def pareto(**options: Any) -> Pareto:
    return Pareto(Pareto.Config(**{"population": 8, **options}))


def found(parts: Toy, strategy: Pareto) -> tuple[Any, Any]:
    problem = parts.problem()
    return strategy.search(problem, np.random.default_rng(0)), problem.history().payload


def test_the_front_is_that_of_everything_scored(tmp_path: Path) -> None:
    """All of a space whose accuracy is its cost: every cost has a place in the front."""
    outcome, trials = found(toy(tmp_path, TABLES, evaluations=64), pareto())
    points = np.stack([-trials.accuracy, trials.costs["macs"].astype(float)], axis=1)
    expected = {tuple(trials.archs[i]) for i in front_of(points)}
    assert len(outcome.archs) == outcome.front == outcome.facts["front"]["size"]
    totals = [sum(row[i] for row, i in zip(TABLES, arch, strict=True)) for arch in outcome.archs]
    assert len(set(totals)) == len(totals) == len(expected)


@pytest.mark.parametrize(("pick", "most"), [("accuracy", 23), ({"macs": 10.0}, 10)])
def test_the_picked_one_comes_first(tmp_path: Path, pick: Any, most: int) -> None:
    outcome, trials = found(toy(tmp_path, TABLES, evaluations=64), pareto(pick=pick))
    first = sum(row[i] for row, i in zip(TABLES, outcome.archs[0], strict=True))
    assert first == max(cost for cost in trials.costs["macs"] if cost <= most)


def test_an_unknown_metric_is_refused(tmp_path: Path) -> None:
    feasible = toy(tmp_path, TABLES).problem().feasible
    for wrong in (pareto(metrics=("flops",)), pareto(pick={"flops": 1.0})):
        with pytest.raises(UsageError, match="no costs for the metric 'flops'"):
            wrong.check(feasible)
    pareto(metrics=("macs",)).check(feasible)
