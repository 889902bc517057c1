"""Searches under twelve constraints, from very tight to none: every answer must meet its constraint.

    python tests/campaigns/constraints.py [--folder DIR] [--evaluations 12] [--steps 300] [--threads 1]

A `proxylessnas` supernet at 32 pixels with architecture parameters, trained for a few steps, and bounds on MACs from
the smallest total plus 5 % of the range to the largest. Each strategy searches under each bound; the generator is
trained once, and then answers all of them. Prints a row a bound, and exits 1 if an answer breaks its constraint or if
Kendall's tau of what the generator was asked for and what it generated, before any repair, is below 0.8.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import kendalltau

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.strategy_state import StrategyState
from nascli.cli import run
from nascli.console import out
from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.cost.table import from_table
from nascli.search_strategy.trained_generator import TrainedGenerator
from tests.benchmarks.pairs import compare

YAML = """
search_space: {{use: proxylessnas, input_shape: [3, 32, 32], classes: 4}}
dataflow:
  {{use: synthetic, classes: 4, image_shape: [3, 32, 32], train_images: 640, test_images: 32, valid_share: 0.1,
   batch_size: 16}}
threads: {threads}
train_supernet: {{training_strategy: differentiable, epochs: 3, panel: 0}}
search:
  evaluator: {{use: supernet, calibration_images: 32}}
  max_evaluations: {evaluations}
"""
STRATEGIES = {
    "random": "random",
    "evolution": "{use: evolution, population: 4, parents: 2}",
    "differentiable": "differentiable",
    "generator": "generator",
}
BOUNDS, LEAST_TAU = 12, 0.8
LEAST_PAIRS, PAIRED_SECONDS = 5, 20.0


@dataclass(frozen=True)
class Answer:
    """What a search found, and how long it took."""

    macs: int
    seconds: float
    summary: dict[str, Any]


def stage(folder: Path, name: str, *words: str) -> float:
    """Run a stage in this process; its seconds, without those of clearing up after the stage before."""
    gc.collect()
    errors, begun = io.StringIO(), time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
        code = run([name, "-c", str(folder / "run.yaml"), *words, "--force", "-q"])
    if code:
        raise SystemExit(f"{name} {' '.join(words)} ended with {code}: {errors.getvalue().strip()}")
    return time.perf_counter() - begun


def searched(folder: Path, strategy: str, bound: int, *words: str) -> Answer:
    """The answer of one search."""
    told = ["--set", f"search.search_strategy={strategy}", "--constraint", f"macs<={bound}"]
    given = ["--lut", str(folder / "lut.h5"), "--supernet", str(folder / "supernet.pt")]
    seconds = stage(folder, "search", *told, *given, *words, "-o", str(folder / "arch.npy"))
    summary = Architecture.open(folder / "arch.npy").header.summary
    return Answer(summary["costs"]["macs"], seconds, summary)


def answered(folder: Path, model: CostModel, bounds: list[int]) -> tuple[list[int], float]:
    """MACs generated for each bound before any repair, and the milliseconds of an answer of the network alone."""
    state = StrategyState.open(folder / "generator.pt").payload.state
    generator = TrainedGenerator.restored(state, model)
    asked = np.array(bounds, dtype=np.float64)
    generator.logits(asked[:1])
    begun = time.perf_counter()
    archs = [generator.archs(generator.logits(asked[i : i + 1])) for i in range(len(asked))]
    seconds = time.perf_counter() - begun
    return model.total("macs", np.concatenate(archs)).tolist(), 1000 * seconds / len(bounds)


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--evaluations", type=int, default=12)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = told.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "run.yaml").write_text(YAML.format(threads=told.threads, evaluations=told.evaluations))
        return campaign(folder, told.steps)


def campaign(folder: Path, steps: int) -> int:
    """Train, search under every bound, and tell."""
    stage(folder, "build-lut", "-o", str(folder / "lut.h5"))
    trained = stage(folder, "train-supernet", "-o", str(folder / "supernet.pt"))
    lut = LookupTable.open(folder / "lut.h5")
    model = from_table(lut.payload, lut.space.space())
    low, high = FeasibleSet(model).bounds("macs")
    bounds = [int(low + share * (high - low)) for share in np.linspace(0.05, 1, BOUNDS)]

    begun = time.perf_counter()
    searched(folder, f"{{use: generator, steps: {steps}}}", bounds[-1])
    generator = time.perf_counter() - begun
    (folder / "arch.generator.pt").replace(folder / "generator.pt")
    begins = {"generator": ["--generator", str(folder / "generator.pt")]}
    found = {
        name: [searched(folder, told, b, *begins.get(name, [])) for b in bounds] for name, told in STRATEGIES.items()
    }
    generated, milliseconds = answered(folder, model, bounds)

    out.table(
        f"MACs of the answers under bounds from {low:,} to {high:,}; seconds of a search",
        ["macs ≤", *(f"{name}{unit}" for name in STRATEGIES for unit in ("", ", s")), "generated", "repaired"],
        [
            [
                bound,
                *(cell for name in STRATEGIES for cell in (found[name][i].macs, f"{found[name][i].seconds:.1f}")),
                generated[i],
                f"{found['generator'][i].summary['generator']['repaired']:.0%}",
            ]
            for i, bound in enumerate(bounds)
        ],
    )
    broken = sum(answer.macs > bound for rows in found.values() for answer, bound in zip(rows, bounds, strict=True))
    tau = float(kendalltau(bounds, generated).statistic)
    for name, told in STRATEGIES.items():
        tight, loose = (partial(searched, folder, told, bounds[i], *begins.get(name, [])) for i in (0, -1))
        ratio = compare(tight, loose, least=LEAST_PAIRS, width=0.1, seconds=PAIRED_SECONDS, warmup=0)
        out.text(f"{name}: seconds of the tightest search / the loosest: {ratio}")
    over = sum(got > bound for got, bound in zip(generated, bounds, strict=True))
    repaired = np.mean([answer.summary["generator"]["repaired"] for answer in found["generator"]])
    out.text(
        f"supernet trained in {trained:.0f} s, generator in {generator:.0f} s; it answers in {milliseconds:.2f} ms"
    )
    out.text(f"Kendall's tau of requested and generated MACs, before any repair: {tau:.3f}")
    out.text(f"{over} of {BOUNDS} lie above their bound; {repaired:.0%} of all answers were repaired")
    out.text(f"broken constraints: {broken} of {len(found) * BOUNDS}")
    return 1 if broken or tau < LEAST_TAU else 0


if __name__ == "__main__":
    sys.exit(main())
