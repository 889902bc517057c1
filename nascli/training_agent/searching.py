"""A search from start to end: constraint first, then weights and data, then the strategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from nascli.artifacts.architecture import Architecture, Choice
from nascli.artifacts.base import same_data
from nascli.artifacts.header import DataRecord, SpaceRecord
from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.supernet import SupernetCheckpoint
from nascli.component import Reference
from nascli.cost.constraint import Constraint
from nascli.cost.feasible import FeasibleSet
from nascli.cost.macs import Macs
from nascli.cost.model import CostModel
from nascli.cost.params import Params
from nascli.cost.table import from_table
from nascli.errors import BudgetSpent, RunFailed, UsageError
from nascli.run import Run
from nascli.search_space.base import SearchSpace
from nascli.search_strategy.base import Score, SearchStrategy
from nascli.space import Archs
from nascli.training_agent.base import Evaluator, EvaluatorInputs
from nascli.training_agent.problem import Problem


@dataclass(frozen=True)
class Search:
    """What a search is told besides its inputs."""

    strategy: Reference
    evaluator: Reference
    constraints: Sequence[Constraint]
    max_evaluations: int
    checkpoint_minutes: float


def run_search(inputs: EvaluatorInputs, record: SpaceRecord, lut: LookupTable | None, told: Search) -> Architecture:
    """Search, write the history beside the result, and return the winner.

    Raises:
        Infeasible: no architecture meets the constraints; nothing was loaded yet.
        UsageError: strategy, evaluator and inputs do not go together.
    """
    check_parts(told.strategy, told.evaluator, inputs.supernet)
    strategy: SearchStrategy = told.strategy.build()
    evaluator: Evaluator = told.evaluator.build()
    costs = costs_of(inputs.space, lut)
    feasible = FeasibleSet(costs, told.constraints)
    feasible.require()
    data, run = _data(inputs, evaluator), inputs.setup.run
    facts = dict(evaluator.prepare(inputs))
    run.resumable = True
    run.facts |= {"data": data.fingerprint if data else None, **facts}
    problem = Problem(record, costs, feasible, evaluator, run, told)
    problem.data = data
    with run.progress("searching", min(told.max_evaluations, feasible.count.upper)) as problem.bar:
        winner, score = _search(strategy, problem, run)
    run.save("history", problem.history())
    summary = _summary(costs, feasible, told.constraints, winner, score) | facts
    spent = {"evaluations": problem.evaluated, "images": problem.images}
    choice = Choice(tuple(int(i) for i in winner))
    return Architecture(choice, space=record, data=data, summary=summary | spent)


def _search(strategy: SearchStrategy, problem: Problem, run: Run) -> tuple[Archs, Score | None]:
    """The strategy's winner and its score, None where it was not scored; the best so far when the budget ran out."""
    try:
        outcome = strategy.search(problem, run.rng("search"))
    except BudgetSpent:
        run.log(event="budget spent", evaluated=problem.evaluated)
        return problem.best()
    if not len(outcome.archs):
        raise RunFailed("the search strategy found nothing")
    winner = problem.checked(outcome.archs[:1])[0]
    return winner, problem.known(winner)


def costs_of(space: SearchSpace, lut: LookupTable | None) -> CostModel:
    """The costs of a lookup table; without one, MACs and parameters are counted on the spot."""
    return from_table(lut.payload, space.space) if lut else space.lookup_table([Macs(), Params()])


def check_parts(strategy: Reference, evaluator: Reference, supernet: SupernetCheckpoint | None) -> None:
    """Raises UsageError unless the evaluator offers what the strategy needs, and has the supernet that it needs."""
    strategies, evaluators = cast(type[SearchStrategy], strategy.cls), cast(type[Evaluator], evaluator.cls)
    missing = strategies.requires - evaluators.offers
    if missing:
        what = ", ".join(sorted(missing))
        raise UsageError(f"the search strategy '{strategy.use}' needs {what}, which '{evaluator.use}' lacks")
    if evaluators.needs_supernet and supernet is None:
        hint = "make one: nascli train-supernet -c CONFIG -o supernet.pt"
        raise UsageError(f"the evaluator '{evaluator.use}' needs --supernet", hint=hint)


def _data(inputs: EvaluatorInputs, evaluator: Evaluator) -> DataRecord | None:
    """The record of the data that scores come from; a supernet must have been trained on the same."""
    if inputs.supernet is None:
        return inputs.setup.dataflow.describe() if evaluator.needs_data else None
    record = inputs.setup.dataflow.describe()
    same_data(record, inputs.supernet.header.data, "--supernet")
    return record


def _summary(
    costs: CostModel, feasible: FeasibleSet, constraints: Sequence[Constraint], winner: Archs, score: Score | None
) -> dict[str, Any]:
    count = feasible.count
    return {
        **({"accuracy": score.accuracy, "loss": score.loss} if score else {}),
        "costs": {name: costs.total(name, winner[None])[0].item() for name in costs.metrics},
        "constraints": [str(constraint) for constraint in constraints],
        "feasible": float(count.lower) if count.lower == count.upper else [float(count.lower), float(count.upper)],
        "of": float(feasible.space.count),
    }
