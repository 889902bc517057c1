from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.history import History
from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.strategy_state import LearnedState, StrategyState
from nascli.artifacts.supernet import SupernetCheckpoint, TrainedSupernet
from nascli.component import Reference, resolve
from nascli.cost.constraint import Constraint
from nascli.cost.macs import Macs
from nascli.cost.model import CostModel
from nascli.cost.params import Params
from nascli.cost.table import to_table
from nascli.errors import ConfigError, Infeasible, Interrupted, Mismatch, UsageError
from nascli.ranks import Ranks
from nascli.run import Run
from nascli.search_space.base import SearchSpace, record_of
from nascli.search_space.tiny import Tiny
from nascli.search_strategy.base import Outcome, SearchProblem, SearchStrategy
from nascli.training_agent.base import EvaluatorInputs
from nascli.training_agent.searching import Search, costs_of, run_search
from nascli.training_agent.settings import Engines

from .helpers import flow, fresh, setup, tiny

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


REFERENCE = resolve("search_space", {"use": "tiny", "width": 4, "input_shape": [3, 8, 8], "classes": 4})
SMALL = {"steps": 2, "width": 4, "layers": 0, "batch": 2, "targets": 2, "priors": 1, "answers": 2}


def checkpoint(folder: Path, arch_parameters: Mapping[str, torch.Tensor] | None = None) -> SupernetCheckpoint:
    weights = TrainedSupernet(fresh(tiny().supernet).state_dict(), arch_parameters or {})
    made = SupernetCheckpoint(weights, space=record_of(REFERENCE, tiny().space), data=flow().describe())
    made.write(folder / "supernet.pt")
    return SupernetCheckpoint.open(folder / "supernet.pt")


def alphas(without: str = "") -> dict[str, torch.Tensor]:
    return {d.label: torch.arange(float(d.size)) for d in tiny().space.decisions if d.label != without}


def learning(
    folder: Path,
    strategy: Any,
    supernet: SupernetCheckpoint | None,
    learned: StrategyState | None = None,
    constraint: str = "macs<=2e5",
    run: Run | None = None,
) -> Architecture:
    evaluator = resolve("evaluator", {"use": "supernet", "calibration_images": 8})
    bound = [Constraint.parse(constraint)]
    told = Search(resolve("search_strategy", strategy), evaluator, bound, 3, 1e6, learned=learned)
    given = EvaluatorInputs(tiny(), setup(run or Run(folder / "arch.npy")), Engines(accelerator="cpu"), supernet)
    return run_search(given, record_of(REFERENCE, tiny().space), None, told)


GENERATOR = {"use": "generator", **SMALL}


def test_architecture_parameters_of_the_supernet_are_decoded(tmp_path: Path) -> None:
    found = learning(tmp_path, "differentiable", checkpoint(tmp_path, alphas()), constraint="macs<=1e9")
    assert list(found.payload.arch) == [d.size - 1 for d in tiny().space.decisions]
    assert found.header.summary["decoded"] == "argmax"
    assert 0 <= found.header.summary["accuracy"] <= 1


@pytest.mark.parametrize("lacking", ["everything", "one", "a size"])
def test_a_supernet_without_architecture_parameters_is_told_how_to_get_them(tmp_path: Path, lacking: str) -> None:
    label = tiny().space.decisions[2].label
    values = {"everything": {}, "one": alphas(without=label), "a size": {**alphas(), label: torch.zeros(7)}}[lacking]
    with pytest.raises(UsageError, match=r"needs architecture parameters, which .*supernet\.pt lacks") as caught:
        learning(tmp_path, "differentiable", checkpoint(tmp_path, values))
    assert "--training-strategy differentiable" in caught.value.hint
    assert caught.value.exit_code == 2


def test_what_a_strategy_lacks_is_told_before_weights_are_read(tmp_path: Path) -> None:
    supernet = checkpoint(tmp_path)
    (tmp_path / "supernet.pt").write_bytes(b"")
    with pytest.raises(UsageError, match="needs architecture parameters"):
        learning(tmp_path, "differentiable", supernet)


def test_a_strategy_without_its_supernet_is_told_which_to_train(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs --supernet") as caught:
        learning(tmp_path, "differentiable", None)
    assert "--training-strategy differentiable" in caught.value.hint


def test_a_table_gives_no_gradient(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'generator' needs gradient, which 'table' lacks"):
        search(tmp_path, strategy=resolve("search_strategy", GENERATOR))


def test_what_a_generator_learned_lies_beside_the_result_and_answers_later_searches(tmp_path: Path) -> None:
    supernet = checkpoint(tmp_path)
    first = learning(tmp_path, GENERATOR, supernet)
    state = StrategyState.open(tmp_path / "arch.generator.pt")
    assert (state.strategy, state.header.summary["metric"]) == ("generator", "macs")
    assert state.header.summary["tau"] == first.header.summary["generator"]["tau"]
    (tmp_path / "arch.generator.pt").rename(tmp_path / "kept.pt")
    state = StrategyState.open(tmp_path / "kept.pt")
    scored = learning(tmp_path, GENERATOR, supernet, state, "macs<=1e5")
    alone = learning(tmp_path, GENERATOR, None, state, "macs<=1e5")
    for found in (scored, alone):
        assert found.header.summary["costs"]["macs"] <= 1e5
    assert "accuracy" in scored.header.summary
    assert "accuracy" not in alone.header.summary
    assert not (tmp_path / "arch.generator.pt").exists()


class Pair(Ranks):
    """The first of two processes, the other of which has nothing to do."""

    world_size = 2

    def gather(self, value: Any) -> list[Any]:
        return [value, []]


def test_what_a_generator_learned_answers_without_a_supernet_on_several_processes_too(tmp_path: Path) -> None:
    learning(tmp_path, GENERATOR, checkpoint(tmp_path))
    run = Run(tmp_path / "pair.npy")
    run.ranks = Pair()
    state = StrategyState.open(tmp_path / "arch.generator.pt")
    assert "accuracy" not in learning(tmp_path, GENERATOR, None, state, run=run).header.summary


class CutRun(Run):
    """Is asked to stop during the second relaxed loss."""

    def torch_seed(self, stream: str, step: int = 0) -> int:
        self.stopping = self.stopping or (stream, step) == ("relaxed", 1)
        return super().torch_seed(stream, step)


def test_an_interrupted_generator_resumes_to_the_same_digests(tmp_path: Path) -> None:
    supernet, told = checkpoint(tmp_path), {**GENERATOR, "steps": 4}
    results = [learning(tmp_path, told, supernet, run=Run(tmp_path / "whole.npy"))]
    with pytest.raises(Interrupted):
        learning(tmp_path, told, supernet, run=CutRun(tmp_path / "cut.npy"))
    results.append(learning(tmp_path, told, supernet, run=Run(tmp_path / "cut.npy", resume=True)))
    log = [json.loads(line) for line in (tmp_path / "cut.npy.run/log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log if line["event"] == "resume"] == [2]
    assert len({found.sealed().header.digest for found in results}) == 1
    states = [StrategyState.open(tmp_path / f"{name}.generator.pt").header.digest for name in ("whole", "cut")]
    assert states[0] == states[1]


def test_what_was_learned_belongs_to_its_strategy(tmp_path: Path) -> None:
    def state(strategy: str) -> StrategyState:
        return StrategyState(LearnedState(strategy, {}), summary={"strategy": strategy})

    with pytest.raises(UsageError, match="'random' begins with nothing learned") as caught:
        learning(tmp_path, "random", None, state("generator"))
    assert "--search-strategy generator" in caught.value.hint
    with pytest.raises(UsageError, match=r"learned by the search strategy 'mine\.py:Own', not by 'generator'"):
        learning(tmp_path, GENERATOR, None, state("mine.py:Own"))


def test_a_generator_of_other_data_is_a_mismatch(tmp_path: Path) -> None:
    supernet = checkpoint(tmp_path)
    learned = LearnedState("generator", {})
    state = StrategyState(learned, data=flow(split_seed=1).describe(), summary={"strategy": "generator"})
    with pytest.raises(Mismatch, match="--generator was made on 'synthetic'"):
        learning(tmp_path, GENERATOR, supernet, state)


def test_a_supernet_of_other_data_is_a_mismatch(tmp_path: Path) -> None:
    weights = TrainedSupernet(fresh(tiny().supernet).state_dict())
    other = SupernetCheckpoint(weights, data=flow(split_seed=1).describe())
    assert REFERENCE.cls is Tiny
    told = Search(resolve("search_strategy", "random"), resolve("evaluator", "supernet"), [], 3, 1e6)
    given = EvaluatorInputs(tiny(), setup(Run(tmp_path / "arch.npy")), Engines(accelerator="cpu"), other)
    with pytest.raises(Mismatch, match="--supernet was made on 'synthetic'"):
        run_search(given, record_of(REFERENCE, tiny().space), None, told)


class StoppedRun(Run):
    """Is asked to stop when something is scored."""

    def log(self, **fields: Any) -> None:
        self.stopping = fields["event"] == "score"
        super().log(**fields)


def test_an_interrupted_search_leaves_its_best(tmp_path: Path) -> None:
    supernet = checkpoint(tmp_path)
    with pytest.raises(Interrupted) as caught:
        learning(tmp_path, "random", supernet, run=StoppedRun(tmp_path / "arch.npy"))
    best = Architecture.open(tmp_path / "arch.best.npy")
    assert caught.value.why == f"the best so far is in {tmp_path / 'arch.best.npy'}"
    assert best.header.summary["interrupted"] is True
    assert 1 <= best.header.summary["evaluations"] <= 3
    assert 0 <= best.header.summary["accuracy"] <= 1
    learning(tmp_path, "random", supernet, run=Run(tmp_path / "arch.npy", resume=True))
    assert not (tmp_path / "arch.best.npy").exists()
