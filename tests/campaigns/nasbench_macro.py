"""NAS-Bench-Macro: all counts, and the search strategies under MACs budgets, each against random.

    python tests/campaigns/nasbench_macro.py [--table FILE] [--seeds 20] [--evaluations 300] [--strategies REF…]

One training seed's accuracy is the score, the mean of the other two is the truth. Regret: truth of the best feasible
architecture minus truth of the one found, in points of accuracy; mean over run and score seeds. Advantage: truth of
what was found minus truth of what random found under the same budget, score seed and run seed; averaged over budgets
and score seeds, then over run seeds, whose spread gives the interval (Student's t). "Everything scored" is the best by
score of all that is feasible: how far the noise of a score lets any search come. Exits 1 if a count differs or a
constraint is violated. A strategy with options: '{use: evolution, predictor: ridge}'.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nascli.artifacts.header import SpaceRecord
from nascli.commands.standings import mean_interval
from nascli.component import installed, resolve
from nascli.console import out
from nascli.cost.constraint import Constraint
from nascli.cost.feasible import FeasibleSet
from nascli.cost.macs import Macs
from nascli.cost.model import CostModel
from nascli.cost.params import Params
from nascli.document import parse_scalar
from nascli.run import Run
from nascli.search_space.base import SearchSpace, record_of
from nascli.training_agent.problem import Problem
from nascli.training_agent.searching import Search
from nascli.training_agent.table_evaluator import TableEvaluator

TABLE = Path(__file__).parents[2].parent / "shared/data/nas-bench-macro_cifar10.json"
BUDGETS = (45.54e6, 55.40e6, 65.42e6)
SCORE_SEEDS = (0, 1, 2)

PREDICTED = ("{use: evolution, predictor: ridge}", "{use: regularized_evolution, predictor: ridge}")

Values = npt.NDArray[np.float64]


@dataclass
class Benchmark:
    """The table, and what the space says of its architectures."""

    path: Path
    record: SpaceRecord
    costs: CostModel
    archs: npt.NDArray[np.int64]
    accuracy: Values

    def found(self, name: str, budget: float, scored: int, seed: int, evaluations: int) -> tuple[float, int]:
        """The truth of what a strategy finds, and how many of the architectures it tried break the budget."""
        evaluator = self.evaluators[scored]
        feasible = FeasibleSet(self.costs, [Constraint("macs", budget, True)])
        with tempfile.TemporaryDirectory() as folder:
            run = Run(Path(folder) / "arch.npy", seed=seed)
            strategy = resolve("search_strategy", parse_scalar(name))
            problem = Problem(
                self.record, self.costs, feasible, evaluator, run, Search(strategy, strategy, (), evaluations, 1e9)
            )
            strategy.build().search(problem, run.rng("search"))
        tried = problem.history().payload.archs
        row = int((self.archs == problem.best()[0]).all(axis=1).argmax())
        return self.truth(scored)[row], int((self.costs.total("macs", tried) > budget).sum())

    @cached_property
    def evaluators(self) -> list[TableEvaluator]:
        """One for each score seed."""
        made = [TableEvaluator(TableEvaluator.Config(path=self.path, score=f"test_acc.{i}")) for i in SCORE_SEEDS]
        for evaluator in made:
            evaluator.load()
        return made

    def truth(self, scored: int) -> Values:
        """The mean of the training seeds that are not the score, (n,)."""
        kept: Values = self.accuracy[:, [i for i in SCORE_SEEDS if i != scored]].mean(1)
        return kept


def score_only() -> list[str]:
    """The installed strategies that need nothing but scores, random first, and evolution with a predictor."""
    names = [
        name for name in installed("search_strategy") if resolve("search_strategy", name).cls.requires == {"score"}
    ]
    return [*sorted(names, key=lambda name: (name != "random", name)), *PREDICTED]


def counted(table: Mapping[str, Any], costs: CostModel, archs: npt.NDArray[np.int64]) -> bool:
    """Whether MACs and parameters are those of the benchmark, which is said."""
    equal = {
        ours: int((costs.total(ours, archs) == np.array([entry[theirs] for entry in table.values()])).sum())
        for ours, theirs in (("params", "params"), ("macs", "flops"))
    }
    out.text(f"params equal: {equal['params']:,} of {len(archs):,}; macs equal: {equal['macs']:,} of {len(archs):,}")
    return set(equal.values()) == {len(archs)}


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--evaluations", type=int, default=300)
    parser.add_argument("--strategies", nargs="*", default=score_only())
    told = parser.parse_args()
    table = json.loads(told.table.read_text())
    reference = resolve("search_space", {"use": "nasbench_macro"})
    space: SearchSpace = reference.build()
    costs = space.lookup_table([Macs(), Params()])
    archs = np.array([[int(digit) for digit in key] for key in table], dtype=np.int64)
    right = counted(table, costs, archs)
    accuracy = np.array([entry["test_acc"] for entry in table.values()])
    benchmark = Benchmark(told.table, record_of(reference, space.space), costs, archs, accuracy)
    violations = _compared(benchmark, list(dict.fromkeys(("random", *told.strategies))), told.seeds, told.evaluations)
    out.text(f"violated constraints: {violations}")
    return 0 if right and not violations else 1


def _compared(benchmark: Benchmark, names: list[str], seeds: int, evaluations: int) -> int:
    """Print a row for each strategy, and one for a search that scores everything; the number of violations."""
    shape, violations = (len(BUDGETS), len(SCORE_SEEDS), seeds), 0
    best, by_score = (np.repeat(values[:, :, None], seeds, axis=2) for values in _extremes(benchmark))
    truths: dict[str, Values] = {}
    walls: dict[str, str] = {}
    for name in names:
        truths[name], started = np.zeros(shape), time.monotonic()
        for b, scored, seed in np.ndindex(shape):
            found, broken = benchmark.found(name, BUDGETS[b], scored, seed, evaluations)
            truths[name][b, scored, seed] = found
            violations += broken
        walls[name] = f"{(time.monotonic() - started) / truths[name].size:.2f}"
        out.note(f"{name}: {_advantage(truths[name], truths['random'])}")
    truths["(everything scored)"] = by_score
    regrets = (f"regret, macs <= {budget / 1e6:.2f}e6" for budget in BUDGETS)
    rows: list[list[object]] = [
        [name, *(f"{regret:.3f}" for regret in (best - found).mean(axis=(1, 2))), *_last(name, truths, walls)]
        for name, found in truths.items()
    ]
    title = f"points of accuracy after {evaluations} evaluations; {seeds} run seeds, {len(SCORE_SEEDS)} score seeds"
    out.table(title, ["strategy", *regrets, "over random, 95 %", "s a run"], rows)
    return violations


def _extremes(benchmark: Benchmark) -> tuple[Values, Values]:
    """The best truth within each budget, and the truth of the best score, (budgets, score seeds) each."""
    macs = benchmark.costs.total("macs", benchmark.archs)
    best, by_score = np.zeros((2, len(BUDGETS), len(SCORE_SEEDS)))
    for b, scored in np.ndindex(best.shape):
        inside = np.flatnonzero(macs <= BUDGETS[b])
        truth = benchmark.truth(scored)[inside]
        best[b, scored], by_score[b, scored] = truth.max(), truth[benchmark.accuracy[inside, scored].argmax()]
    return best, by_score


def _last(name: str, truths: Mapping[str, Values], walls: Mapping[str, str]) -> list[str]:
    advantage = "" if name == "random" else _advantage(truths[name], truths["random"])
    return [advantage, walls.get(name, "")]


def _advantage(found: Values, baseline: Values) -> str:
    mean, interval = mean_interval((found - baseline).mean(axis=(0, 1)).tolist())
    return f"{mean:+.3f}" + (f" ± {(interval[1] - interval[0]) / 2:.3f}" if interval else "")


if __name__ == "__main__":
    sys.exit(main())
