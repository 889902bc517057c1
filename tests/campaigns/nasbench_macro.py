"""NAS-Bench-Macro: all counts, and the regret of the search strategies under MACs budgets.

    python tests/campaigns/nasbench_macro.py [--table FILE] [--seeds 20] [--evaluations 300]

One seed's accuracy is the score, the mean of the other two is the truth. Regret: truth of the best feasible
architecture minus truth of the one found, in points of accuracy; mean over run seeds with a 95 % interval
(normal approximation over seeds). Exits 1 if a count differs or a constraint is violated.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from nascli.component import resolve
from nascli.console import out
from nascli.cost.constraint import Constraint
from nascli.cost.feasible import FeasibleSet
from nascli.cost.macs import Macs
from nascli.cost.params import Params
from nascli.run import Run
from nascli.search_space.base import SearchSpace, record_of
from nascli.training_agent.problem import Problem
from nascli.training_agent.searching import Search
from nascli.training_agent.table_evaluator import TableEvaluator

TABLE = Path(__file__).parents[2].parent / "shared/data/nas-bench-macro_cifar10.json"
BUDGETS = (45.54e6, 55.40e6, 65.42e6)


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--evaluations", type=int, default=300)
    told = parser.parse_args()
    table = json.loads(told.table.read_text())
    reference = resolve("search_space", {"use": "nasbench_macro"})
    space: SearchSpace = reference.build()
    costs = space.lookup_table([Macs(), Params()])
    archs = np.array([[int(digit) for digit in key] for key in table], dtype=np.int64)
    entries = list(table.values())
    equal = {
        ours: int((costs.total(ours, archs) == np.array([entry[theirs] for entry in entries])).sum())
        for ours, theirs in (("params", "params"), ("macs", "flops"))
    }
    out.text(f"params equal: {equal['params']:,} of {len(archs):,}; macs equal: {equal['macs']:,} of {len(archs):,}")

    macs = costs.total("macs", archs)
    accuracy = np.array([entry["test_acc"] for entry in entries])
    truth_of = {arch.tobytes(): row for arch, row in zip(archs, accuracy, strict=True)}
    rows: list[list[object]] = []
    violations = 0
    record = record_of(reference, space.space)
    for budget in BUDGETS:
        feasible = FeasibleSet(costs, [Constraint("macs", budget, True)])
        for name in ("random", "evolution"):
            regrets = []
            for seed in range(told.seeds):
                kept = [i for i in range(3) if i != seed % 3]
                best = accuracy[macs <= budget][:, kept].mean(1).max()
                evaluator = TableEvaluator(TableEvaluator.Config(path=told.table, score=f"test_acc.{seed % 3}"))
                evaluator.prepare(None)  # type: ignore[arg-type]
                with tempfile.TemporaryDirectory() as folder:
                    run = Run(Path(folder) / "arch.npy", seed=seed)
                    strategy = resolve("search_strategy", name)
                    search = Search(strategy, strategy, (), told.evaluations, 1e9)
                    problem = Problem(record, costs, feasible, evaluator, run, search)
                    strategy.build().search(problem, run.rng("search"))
                tried = problem.history().payload.archs
                violations += int((costs.total("macs", tried) > budget).sum())
                regrets.append(best - truth_of[problem.best()[0].tobytes()][kept].mean())
            mean, half = np.mean(regrets), 1.96 * np.std(regrets, ddof=1) / np.sqrt(len(regrets))
            rows.append(
                [budget, feasible.count.upper, name, len(regrets), f"{mean:.3f} ± {half:.3f}", f"{max(regrets):.3f}"]
            )
    out.table(
        f"regret after {told.evaluations} evaluations, points of accuracy",
        ["macs ≤", "feasible", "strategy", "seeds", "mean, 95 % interval", "worst"],
        rows,
    )
    out.text(f"violated constraints: {violations}")
    return 0 if violations == 0 and set(equal.values()) == {len(archs)} else 1


if __name__ == "__main__":
    sys.exit(main())
