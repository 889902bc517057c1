"""A search problem whose scores are a formula of the architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nascli.artifacts.header import SpaceRecord
from nascli.cost.model import CostModel
from nascli.run import Run
from nascli.search_strategy.base import AskTell, Score, SearchStrategy
from nascli.space import Archs
from nascli.training_agent.base import Evaluator, EvaluatorInputs
from nascli.training_agent.problem import Problem
from tests.cost.helpers import Table, chain, feasible

Formula = Callable[[Archs], Score]


@dataclass(frozen=True)
class Budget:
    """What the stage's settings say; no checkpoint unless told otherwise."""

    max_evaluations: int = 100
    checkpoint_minutes: float = 1e6
    time_budget: float | None = None


class Formulaic(Evaluator):
    """Scores by a formula; remembers what it was asked for."""

    formula: Formula

    def prepare(self, inputs: EvaluatorInputs) -> Mapping[str, Any]:
        return {}

    def evaluate(self, archs: Archs) -> list[Score]:
        self.seen += [tuple(arch.tolist()) for arch in archs]
        return [self.formula(arch) for arch in archs]


def evaluator(formula: Formula, kind: type[Formulaic] = Formulaic) -> Formulaic:
    made = kind()
    made.formula, made.seen = formula, []
    return made


def additive(tables: Table) -> Formula:
    """Accuracy is a sum over the decisions, scaled to 0 to 1; loss is what is missing to 1."""
    most = sum(max(row) for row in tables)

    def score(arch: Archs) -> Score:
        share = sum(row[i] for row, i in zip(tables, arch, strict=True)) / max(most, 1)
        return Score(share, 1 - share, 10)

    return score


@dataclass
class Toy:
    """The parts of a small search; `problem` makes a new `Problem` of them."""

    folder: Path
    model: CostModel
    formula: Formula
    constraints: Sequence[str] = ()
    budget: Budget = Budget()
    kind: type[Formulaic] = Formulaic
    evaluator: Formulaic = field(init=False)
    run: Run = field(init=False)

    def problem(self, *, resume: bool = False) -> Problem:
        self.evaluator = evaluator(self.formula, self.kind)
        self.run = Run(self.folder / "arch.npy", resume=resume)
        space = self.model.space
        record = SpaceRecord(use="toy", options={}, description=space.describe(), fingerprint=space.fingerprint)
        inside = feasible(self.model, *self.constraints)
        return Problem(record, self.model, inside, self.evaluator, self.run, self.budget)


def toy(folder: Path, tables: Table, *constraints: str, evaluations: int = 100) -> Toy:
    """Architectures that cost the more the better they are: both are the same sum."""
    return Toy(folder, chain({"macs": tables}), additive(tables), constraints, Budget(evaluations))


def searched(strategy: SearchStrategy, toy: Toy, seed: int = 0) -> Archs:
    """What the strategy finds."""
    return strategy.search(toy.problem(), np.random.default_rng(seed)).archs


class Fixed(AskTell):
    """Asks for the same architectures each round."""

    def begin(self, problem: Any, rng: np.random.Generator) -> None:
        self.asked, self.told = 0, []

    def ask(self) -> Archs:
        self.asked += 1
        return np.array(self.archs)

    def tell(self, archs: Archs, scores: Sequence[Score]) -> None:
        self.told.append([score.accuracy for score in scores])


def fixed(*archs: Sequence[int]) -> Fixed:
    strategy = Fixed()
    strategy.archs = archs
    return strategy
