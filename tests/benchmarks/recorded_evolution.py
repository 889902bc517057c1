"""Populations of a search, recorded: SPOS evolution on the sum of a normal random number for each candidate.

The scores are synthetic, so that the populations converge as they do when layers matter independently; no supernet
and no clock is in them. `python -m tests.benchmarks.recorded_evolution` writes `recorded_evolution.json` anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from nascli.component import resolve
from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.search_space.base import SearchSpace
from nascli.search_strategy.base import Score
from nascli.search_strategy.evolution import Evolution
from nascli.space import Archs, compact

FILE = Path(__file__).with_suffix(".json")
SPACES = ("fbnet_s", "proxylessnas", "spos")
GENERATIONS = (1, 8, 15)
POPULATION, PARENTS, SEED = 16, 10, 0


class Sum:
    """A search problem whose accuracy is a sum over the layers."""

    def __init__(self, search_space: SearchSpace) -> None:
        self.space, self.remaining = search_space.space, 10**9
        self.feasible = FeasibleSet(CostModel(self.space, {}))
        rng = np.random.default_rng(SEED)
        self._worth = [rng.standard_normal(size) for size in self.space.sizes]

    def order(self, archs: Archs, scores: list[Score]) -> Any:
        """The best first."""
        return np.argsort([-score.accuracy for score in scores], kind="stable")

    def score(self, archs: Archs) -> list[Score]:
        """The sums."""
        sums = (sum(worth[i] for worth, i in zip(self._worth, arch, strict=True)) for arch in archs)
        return [Score(float(total), -float(total), 1) for total in sums]


def built(name: str) -> SearchSpace:
    """The space for images of 32 pixels."""
    found: SearchSpace = resolve("search_space", {"use": name, "strides": "cifar"}).build()
    return found


def evolved(name: str) -> dict[int, Archs]:
    """The generations of a search in one space."""
    problem: Any = Sum(built(name))
    strategy = Evolution(Evolution.Config(population=POPULATION, parents=PARENTS))
    strategy.begin(problem, np.random.default_rng(SEED))
    found: dict[int, Archs] = {}
    for generation in range(1, max(GENERATIONS) + 1):
        archs = strategy.ask()
        strategy.tell(archs, problem.score(archs))
        found[generation] = archs
    return found


def recorded(name: str, generation: int) -> Archs:
    """The architectures int64 (16, d) of a recorded generation."""
    lines = json.loads(FILE.read_text())["generations"][name][str(generation)]
    return np.array([[int(i) for i in line.split(",")] for line in lines])


def main() -> None:
    generations = {
        name: {str(g): [compact(arch) for arch in found[g]] for g in GENERATIONS}
        for name, found in ((name, evolved(name)) for name in SPACES)
    }
    recipe = {
        "made_by": "python -m tests.benchmarks.recorded_evolution",
        "strategy": f"evolution, population {POPULATION}, parents {PARENTS}, other options as they come, unconstrained",
        "score": "sum over the layers of a standard normal number for each candidate",
        "seed": SEED,
    }
    FILE.write_text(json.dumps({"recipe": recipe, "generations": generations}, indent=1) + "\n")


if __name__ == "__main__":
    main()
