from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from nascli.component import resolve
from nascli.errors import ConfigError, UsageError
from nascli.search_strategy.base import Outcome, Score
from nascli.search_strategy.pareto import Pareto
from tests.cost.helpers import chain, feasible

from .helpers import Budget, Toy, additive

RNG = np.random.default_rng(5)
MACS, MS = (RNG.integers(0, 50, (5, 4)).tolist() for _ in range(2))
QUALITY = [[m + q for m, q in zip(*rows, strict=True)] for rows in zip(MACS, RNG.integers(0, 40, (5, 4)), strict=True)]


def problem_of(folder: Path, *constraints: str, evaluations: int = 1500) -> Toy:
    return Toy(folder, chain({"macs": MACS, "ms": MS}), additive(QUALITY), constraints, Budget(evaluations))


def found(folder: Path, *constraints: str, evaluations: int = 1500, **options: object) -> tuple[Toy, Outcome]:
    parts = problem_of(folder, *constraints, evaluations=evaluations)
    strategy = Pareto(Pareto.Config(**options))
    return parts, strategy.search(parts.problem(), np.random.default_rng(0))


def points(parts: Toy, archs: np.ndarray, metrics: list[str]) -> set[tuple[float, ...]]:
    costs = [parts.model.total(name, archs).tolist() for name in metrics]
    return set(zip([-parts.formula(arch).accuracy for arch in archs], *costs, strict=True))


def true_front(parts: Toy, metrics: list[str]) -> set[tuple[float, ...]]:
    everything = points(parts, np.array(list(product(range(4), repeat=5))), metrics)

    def beaten(p: tuple[float, ...]) -> bool:
        return any(q != p and all(x <= y for x, y in zip(q, p, strict=True)) for q in everything)

    return {p for p in everything if not beaten(p)}


@pytest.mark.parametrize("metrics", [["macs"], ["macs", "ms"]], ids=["one cost", "two costs"])
def test_it_finds_nearly_all_of_the_front_with_half_of_the_evaluations(tmp_path: Path, metrics: list[str]) -> None:
    parts, outcome = found(tmp_path, evaluations=512, metrics=tuple(metrics))
    front = points(parts, outcome.archs[: outcome.front], metrics)
    assert len(front & true_front(parts, metrics)) >= 0.8 * len(true_front(parts, metrics))


def test_with_everything_tried_the_front_is_exact(tmp_path: Path) -> None:
    parts, outcome = found(tmp_path, metrics=("macs",))
    assert len(parts.evaluator.seen) == 1024
    assert points(parts, outcome.archs, ["macs"]) == true_front(parts, ["macs"])
    assert outcome.front == len(outcome.archs)


def test_nothing_on_the_front_breaks_the_constraint(tmp_path: Path) -> None:
    parts, outcome = found(tmp_path, "ms<=90", evaluations=200)
    assert feasible(parts.model, "ms<=90").contains(outcome.archs).all()
    assert outcome.facts["front"]["metrics"] == ["ms"]


def test_accuracy_is_picked_first(tmp_path: Path) -> None:
    parts, outcome = found(tmp_path, evaluations=300, pick="accuracy", metrics=("macs",))
    best = max(parts.formula(arch).accuracy for arch in parts.evaluator.seen)
    assert parts.formula(outcome.archs[0]).accuracy == best


def test_the_knee_is_neither_end(tmp_path: Path) -> None:
    parts, outcome = found(tmp_path, evaluations=300, metrics=("macs",))
    costs = parts.model.total("macs", outcome.archs)
    assert costs[1:].min() < costs[0] < costs[1:].max()


def test_a_point_is_picked_by_bounds(tmp_path: Path) -> None:
    parts, outcome = found(tmp_path, evaluations=300, metrics=("macs",), pick={"macs": 100.0})
    costs = parts.model.total("macs", outcome.archs)
    inside = [parts.formula(arch).accuracy for arch, cost in zip(outcome.archs, costs, strict=True) if cost <= 100]
    assert costs[0] <= 100
    assert parts.formula(outcome.archs[0]).accuracy == max(inside)


def test_bounds_that_nothing_meets_are_broken_as_little_as_can_be(tmp_path: Path) -> None:
    parts, outcome = found(tmp_path, evaluations=300, metrics=("macs",), pick={"macs": 1.0})
    costs = parts.model.total("macs", outcome.archs)
    assert costs[0] == costs.min() > 1


def test_the_facts_say_what_the_front_is_of(tmp_path: Path) -> None:
    _, outcome = found(tmp_path, evaluations=100, metrics=("ms",), pick={"macs": 30.0})
    assert outcome.facts["front"] == {"metrics": ["ms"], "size": outcome.front, "pick": {"macs": 30.0}}


def test_a_metric_without_costs_is_refused_before_anything_is_loaded() -> None:
    inside = feasible(chain({"macs": MACS}))
    for options in ({"metrics": ("latency_ms",)}, {"pick": {"latency_ms": 3.0}}):
        with pytest.raises(UsageError, match="no costs for the metric 'latency_ms'"):
            Pareto(Pareto.Config(**options)).check(inside)


@pytest.mark.parametrize("options", [{"metrics": ["a", "b", "c"]}, {"pick": "elbow"}, {"population": 3}])
def test_senseless_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        resolve("search_strategy", {"use": "pareto", **options})


def test_a_search_in_which_nothing_has_a_score_has_no_front(tmp_path: Path) -> None:
    parts = problem_of(tmp_path, evaluations=30)
    parts.formula = lambda arch: Score(float("nan"), float("nan"), 0, "broken")
    outcome = Pareto().search(parts.problem(), np.random.default_rng(0))
    assert (outcome.front, len(outcome.archs)) == (0, 30)
