"""NAS-Bench-Macro: all counts, and the search strategies under MACs budgets, each against random.

    python tests/campaigns/nasbench_macro.py [--table FILE] [--seeds 20] [--evaluations 300] [--strategies NAME…]

One training seed's accuracy is the score, the mean of the other two is the truth. Regret: truth of the best feasible
architecture minus truth of the one found, in points of accuracy; mean over run and score seeds. Advantage: truth of
what was found minus truth of what random found under the same budget, score seed and run seed; averaged over budgets
and score seeds, then over run seeds, whose spread gives the interval (Student's t). Exits 1 if a count differs or a
constraint is violated.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
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
from nascli.run import Run
from nascli.search_space.base import SearchSpace, record_of
from nascli.training_agent.problem import Problem
from nascli.training_agent.searching import Search
from nascli.training_agent.table_evaluator import TableEvaluator

TABLE = Path(__file__).parents[2].parent / "shared/data/nas-bench-macro_cifar10.json"
BUDGETS = (45.54e6, 55.40e6, 65.42e6)
SCORE_SEEDS = (0, 1, 2)

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Benchmark:
    """The table, and what the space says of its architectures."""

    path: Path
    record: SpaceRecord
    costs: CostModel
    archs: npt.NDArray[np.int64]
    accuracy: Values

    def found(self, name: str, budget: float, scored: int, seed: int, evaluations: int) -> tuple[float, int]:
        """The truth of what a strategy finds, and how many of the architectures it tried break the budget."""
        evaluator = TableEvaluator(TableEvaluator.Config(path=self.path, score=f"test_acc.{scored}"))
        evaluator.load()
        feasible = FeasibleSet(self.costs, [Constraint("macs", budget, True)])
        with tempfile.TemporaryDirectory() as folder:
            run = Run(Path(folder) / "arch.npy", seed=seed)
            strategy = resolve("search_strategy", name)
            problem = Problem(
                self.record, self.costs, feasible, evaluator, run, Search(strategy, strategy, (), evaluations, 1e9)
            )
            strategy.build().search(problem, run.rng("search"))
        tried = problem.history().payload.archs
        row = int((self.archs == problem.best()[0]).all(axis=1).argmax())
        return self.truth(scored)[row], int((self.costs.total("macs", tried) > budget).sum())

    def truth(self, scored: int) -> Values:
        """The mean of the training seeds that are not the score, (n,)."""
        kept: Values = self.accuracy[:, [i for i in SCORE_SEEDS if i != scored]].mean(1)
        return kept


def score_only() -> list[str]:
    """The installed strategies that need nothing but scores, random first."""
    names = [
        name for name in installed("search_strategy") if resolve("search_strategy", name).cls.requires == {"score"}
    ]
    return sorted(names, key=lambda name: (name != "random", name))


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
    macs, violations = benchmark.costs.total("macs", benchmark.archs), 0
    baseline: Values | None = None
    rows: list[list[object]] = []
    for name in names:
        truths = np.zeros((len(BUDGETS), len(SCORE_SEEDS), seeds))
        for place in np.ndindex(truths.shape):
            b, scored, seed = place
            truths[place], broken = benchmark.found(name, BUDGETS[b], scored, seed, evaluations)
            violations += broken
        best = [[benchmark.truth(scored)[macs <= budget].max() for scored in SCORE_SEEDS] for budget in BUDGETS]
        regrets = (np.array(best)[:, :, None] - truths).mean(axis=1)
        baseline = truths if baseline is None else baseline
        mean, interval = mean_interval((truths - baseline).mean(axis=(0, 1)).tolist())
        half = (interval[1] - interval[0]) / 2 if interval else float("nan")
        advantage = "" if name == "random" else f"{mean:+.3f} ± {half:.3f}"
        rows.append([name, *(f"{regret:.3f}" for regret in regrets.mean(axis=1)), advantage])
        out.note(f"{name}: {advantage}")
    columns = ["strategy", *(f"regret, macs <= {budget / 1e6:.2f}e6" for budget in BUDGETS), "over random, 95 %"]
    title = f"points of accuracy after {evaluations} evaluations; {seeds} run seeds, {len(SCORE_SEEDS)} score seeds"
    out.table(title, columns, rows)
    return violations


if __name__ == "__main__":
    sys.exit(main())
