"""Feasible sets of `fbnet_s` at 32 pixels: samples a second in narrow and wide windows, time to build, totals a second.

    python -m tests.benchmarks.samplers --rounds 30

The rows are measured in turns, in random order, one round after another: a load of the machine meets all of them
alike. "ms" are the MACs, scaled, times random factors of 0.9 to 1.1 a cell: real costs that share no bin.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from nascli.component import resolve
from nascli.cost.constraint import Constraint
from nascli.cost.feasible import FeasibleSet
from nascli.cost.macs import Macs
from nascli.cost.model import CostModel, Factor, Metric
from tests.benchmarks.pairs import Ratio, ratio

Work = Callable[[], int]
"""Does something a number of times, which it returns."""

SAMPLES = 50_000
TOTALS = 200_000
SEED = 0


@dataclass(frozen=True)
class Row:
    """What is measured, in things a second, and what is wanted at least."""

    name: str
    work: Work
    wanted: float | None = None
    unit: str = "samples/s"


def costs() -> CostModel:
    """Exact MACs, and real costs near them."""
    use = {"use": "fbnet_s", "input_shape": [3, 32, 32], "classes": 10}
    macs = resolve("search_space", use).build().lookup_table([Macs()])["macs"]
    rng = np.random.default_rng(SEED)
    noisy = [Factor(f.decisions, f.values * 1e-6 * rng.uniform(0.9, 1.1, f.values.shape)) for f in macs.factors]
    space = resolve("search_space", use).build().space
    return CostModel(space, {"macs": macs, "ms": Metric("ms", "ms", macs.base * 1e-6, tuple(noisy), exact=False)})


def windows(model: CostModel, metric: str) -> dict[str, tuple[float, float]]:
    """Lower and upper bounds, by what they are called."""
    low, high = FeasibleSet(model).bounds(metric)
    totals = np.sort(model[metric].total(uniform(model, 100_000)))
    median = float(totals[len(totals) // 2])
    around = {f"median ± {100 * part:g} %": (median * (1 - part), median * (1 + part)) for part in (0.001, 0.01, 0.1)}
    tight, loose = low + 0.05 * (high - low), high - 0.05 * (high - low)
    one_total = {"exactly the median": (median, median)} if model[metric].is_integer else {}
    return {
        **one_total,
        **around,
        "at most min + 5 %": (0.0, tight),
        "at most the median": (0.0, median),
        "at least max - 5 %": (loose, 2 * high),
    }


def uniform(model: CostModel, n: int) -> np.ndarray:
    return np.random.default_rng(SEED).integers(0, model.space.sizes, (n, len(model.space.sizes)))


def held(model: CostModel, metric: str, window: tuple[float, float]) -> FeasibleSet:
    low, high = window
    return FeasibleSet(model, [Constraint(metric, low, upper=False), Constraint(metric, high, upper=True)])


def rows(model: CostModel) -> list[Row]:
    """All rows; each work builds or uses what it measures alone."""
    found = []
    for metric in ("macs", "ms"):
        for name, window in windows(model, metric).items():
            found.append(Row(f"{metric} {name}", sampling(held(model, metric, window)), 200_000))
            if name in ("median ± 0.1 %", "at most the median"):
                wanted = 1.0 if metric == "macs" else 20.0
                found.append(
                    Row(f"{metric} {name}: set and table built", building(model, metric, window), wanted, "1/s")
                )
        found.append(Row(f"{metric} totals", totals(model, metric), 10_000_000, "architectures/s"))
    quantiles = {m: windows(model, m)["at most the median"][1] * 0.9 for m in ("macs", "ms")}
    both = FeasibleSet(model, [Constraint(m, bound, upper=True) for m, bound in quantiles.items()])
    found.append(Row("macs and ms at most 0.9 × the median", sampling(both)))
    tight = held(model, "ms", windows(model, "ms")["at most min + 5 %"])
    return [*found, *answers("ms at most min + 5 %", tight), *answers("macs and ms at most 0.9 × the median", both)]


def sampling(feasible: FeasibleSet) -> Work:
    feasible.require()
    rng = np.random.default_rng(SEED)

    def work() -> int:
        return len(feasible.sample(SAMPLES, rng))

    return work


def building(model: CostModel, metric: str, window: tuple[float, float]) -> Work:
    def work() -> int:
        feasible = held(model, metric, window)
        feasible.require()
        return len(feasible.sample(1, np.random.default_rng(SEED)))

    return work


def totals(model: CostModel, metric: str) -> Work:
    archs = uniform(model, TOTALS)
    return lambda: len(model[metric].total(archs))


def answers(name: str, feasible: FeasibleSet) -> list[Row]:
    """The nearest architecture to uniform ones, and the best of random scores."""
    archs = uniform(feasible.model, 3)
    scores = [np.random.default_rng(SEED).normal(size=size) for size in feasible.space.sizes]
    feasible.require()
    return [
        Row(f"{name}: repaired", lambda: len([feasible.repair(arch) for arch in archs]), unit="1/s"),
        Row(f"{name}: best of additive scores", lambda: len([feasible.best(scores)]), unit="1/s"),
    ]


def measured(found: list[Row], rounds: int) -> list[Ratio]:
    """How often each work is done in a second."""
    times: list[list[tuple[float, float]]] = [[] for _ in found]
    rng = np.random.default_rng(SEED)
    for _ in range(rounds + 1):
        for i in rng.permutation(len(found)):
            start = time.perf_counter()
            done = found[i].work()
            times[i].append((float(done), time.perf_counter() - start))
    return [ratio(pairs[1:]) for pairs in times]


def main() -> None:
    """Measure and show one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    found = rows(costs())
    table = Table(box=MARKDOWN)
    for column in ("fbnet_s, 32 px", "median [95 % interval]", "unit", "wanted", ""):
        table.add_column(column, no_wrap=True)
    for row, rate in zip(found, measured(found, rounds), strict=True):
        verdict = "" if row.wanted is None else "met" if rate.low >= row.wanted else "missed"
        wanted = "" if row.wanted is None else f"≥ {row.wanted:,.0f}"
        said = rf"{number(rate.value)} \[{number(rate.low)}, {number(rate.high)}]"
        table.add_row(row.name, said, row.unit, wanted, verdict)
    Console(width=200, highlight=False).print(table)


def number(value: float) -> str:
    """Three digits that matter."""
    return f"{float(f'{value:.3g}'):,.6g}" if value < 1e6 else f"{value / 1e6:.3g} million"


if __name__ == "__main__":
    main()
