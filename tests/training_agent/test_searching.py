from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.history import History
from nascli.artifacts.lookup_table import LookupTable
from nascli.component import Reference, resolve
from nascli.cost.constraint import Constraint
from nascli.cost.macs import Macs
from nascli.cost.model import CostModel
from nascli.cost.params import Params
from nascli.cost.table import to_table
from nascli.errors import ConfigError, Infeasible, UsageError
from nascli.run import Run
from nascli.search_space.base import SearchSpace, record_of
from nascli.search_strategy.base import Outcome, SearchProblem, SearchStrategy
from nascli.training_agent.base import EvaluatorInputs
from nascli.training_agent.searching import Search, costs_of, run_search
from nascli.training_agent.settings import Engines

from .helpers import setup

SPACE = resolve("search_space", {"use": "tiny", "width": 4})

ARCHS = [[0, 0, i, 0, j, k] for i, j, k in product(range(5), repeat=3)]


def benchmark(folder: Path) -> Reference:
    """125 architectures with random accuracies; the others have none."""
    accuracies = np.random.default_rng(0).permutation(len(ARCHS)).tolist()
    table = {"".join(map(str, arch)): {"mean_acc": a / 2} for arch, a in zip(ARCHS, accuracies, strict=True)}
    (folder / "b.json").write_text(json.dumps(table))
    return resolve("evaluator", {"use": "table", "path": str(folder / "b.json")})


class Listed(SearchStrategy):
    """Scores the architectures of the benchmark, in order."""

    def search(self, problem: SearchProblem, rng: np.random.Generator) -> Outcome:
        inside = np.array(ARCHS)[problem.feasible.contains(np.array(ARCHS))]
        return Outcome(inside[problem.order(inside, problem.score(inside))])


class Blind(SearchStrategy):
    """Knows its answer without a score."""

    requires: ClassVar[Any] = frozenset()

    def search(self, problem: SearchProblem, rng: np.random.Generator) -> Outcome:
        return Outcome(np.array([ARCHS[7]]))


class Greedy(Listed):
    """Needs what no evaluator offers."""

    requires: ClassVar[Any] = frozenset({"score", "gradient"})


def own(cls: type[SearchStrategy]) -> Reference:
    return Reference("search_strategy", "mine", cls, cls.Config())


def search(
    folder: Path,
    *constraints: str,
    strategy: Reference | None = None,
    evaluator: Reference | None = None,
    budget: int = 1000,
    lut: LookupTable | None = None,
    margin: float | None = None,
) -> Architecture:
    space: SearchSpace = SPACE.build()
    bounds = [Constraint.parse(c) for c in constraints]
    told = Search(strategy or own(Listed), evaluator or benchmark(folder), bounds, budget, 1e6, margin)
    inputs = EvaluatorInputs(space, setup(Run(folder / "arch.npy")), Engines(accelerator="cpu"), None)
    return run_search(inputs, record_of(SPACE, space.space), lut, told)


def accuracy_of(folder: Path, arch: Any) -> float:
    return json.loads((folder / "b.json").read_text())["".join(map(str, arch))]["mean_acc"] / 100


def test_the_winner_is_the_best_that_meets_the_constraint(tmp_path: Path) -> None:
    costs = costs_of(SPACE.build(), None)
    macs = costs.total("macs", np.array(ARCHS))
    bound = int(np.median(macs))
    found = search(tmp_path, f"macs<={bound}")
    inside = [accuracy_of(tmp_path, arch) for arch, cost in zip(ARCHS, macs, strict=True) if cost <= bound]
    assert found.header.summary["accuracy"] == max(inside)
    assert found.header.summary["evaluations"] == len(inside)
    assert found.header.summary["costs"]["macs"] == costs.total("macs", np.array(found.payload.arch))[0] <= bound
    assert found.header.summary["constraints"] == [f"macs<={bound}"]


def test_a_strategy_may_answer_without_scores(tmp_path: Path) -> None:
    found = search(tmp_path, strategy=own(Blind))
    assert list(found.payload.arch) == ARCHS[7]
    assert "accuracy" not in found.header.summary
    assert found.header.summary["evaluations"] == 0


def test_the_history_lies_beside_the_result(tmp_path: Path) -> None:
    search(tmp_path)
    trials = History.open(tmp_path / "arch.history.h5").payload
    assert trials.archs.tolist() == ARCHS
    assert sorted(trials.costs) == ["macs", "params"]


def test_a_strategy_that_runs_out_of_budget_loses_nothing(tmp_path: Path) -> None:
    found = search(tmp_path, budget=30)
    assert found.header.summary["evaluations"] == 30
    assert found.header.summary["accuracy"] == max(accuracy_of(tmp_path, arch) for arch in ARCHS[:30])


def test_the_facts_of_the_evaluator_are_in_the_summary(tmp_path: Path) -> None:
    assert len(search(tmp_path).header.summary["benchmark"]) == 64


def test_an_infeasible_constraint_is_told_before_anything_is_read(tmp_path: Path) -> None:
    missing = resolve("evaluator", {"use": "table", "path": str(tmp_path / "missing.json")})
    with pytest.raises(Infeasible, match="no architecture meets macs<=1") as caught:
        search(tmp_path, "macs<=1", evaluator=missing)
    assert caught.value.exit_code == 4
    with pytest.raises(ConfigError, match=r"missing\.json"):
        search(tmp_path, evaluator=missing)


def test_a_constraint_on_an_unknown_metric_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no costs for the metric 'latency_ms'"):
        search(tmp_path, "latency_ms<=3")


def test_costs_come_from_the_table_where_one_is_given(tmp_path: Path) -> None:
    space = SPACE.build()
    lut = LookupTable(to_table(space.lookup_table([Params()])), space=record_of(SPACE, space.space))
    assert list(search(tmp_path, lut=lut).header.summary["costs"]) == ["params"]


@pytest.mark.parametrize(("margin", "kept"), [(None, 0.25), (0.5, 0.5), (0.0, 0.0)])
def test_measured_costs_keep_the_margin_of_the_table_or_the_given_one(
    tmp_path: Path, margin: float | None, kept: float
) -> None:
    space = SPACE.build()
    macs = space.lookup_table([Macs()])["macs"]
    latency = replace(macs, name="latency_ms", exact=False, error=0.25)
    table = to_table(CostModel(space.space, {"macs": macs, "latency_ms": latency}))
    totals = macs.total(np.array(ARCHS))
    lut, bound = LookupTable(table, space=record_of(SPACE, space.space)), int(np.quantile(totals, 0.8))
    summary = search(tmp_path, f"latency_ms<={bound}", "macs>=0", lut=lut, margin=margin).header.summary
    assert summary.get("margin", {}) == ({"latency_ms": kept} if kept else {})
    assert summary["evaluations"] == (totals * (1 + kept) <= bound).sum()


def test_without_a_table_macs_and_params_are_counted() -> None:
    space = SPACE.build()
    arch = np.array([[1, 2, 3, 4, 0, 1]])
    found, expected = costs_of(space, None), space.lookup_table([Macs(), Params()])
    assert {name: found.total(name, arch)[0] for name in found.metrics} == {
        name: expected.total(name, arch)[0] for name in ("macs", "params")
    }


def test_a_strategy_that_needs_more_than_the_evaluator_offers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'mine' needs gradient, which 'table' lacks"):
        search(tmp_path, strategy=own(Greedy))


def test_the_supernet_evaluator_asks_for_a_supernet(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'supernet' needs --supernet") as caught:
        search(tmp_path, evaluator=resolve("evaluator", "supernet"))
    assert "train-supernet" in caught.value.hint


def test_a_table_gives_no_gradient(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'generator' needs gradient, which 'table' lacks"):
        search(tmp_path, strategy=resolve("search_strategy", "generator"))
