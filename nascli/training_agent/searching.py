"""A search from start to end: constraint first, then weights and data, then the strategy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from nascli.artifacts.architecture import Architecture, Choice
from nascli.artifacts.base import same_data
from nascli.artifacts.header import DataRecord, SpaceRecord
from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.strategy_state import LearnedState, StrategyState
from nascli.artifacts.supernet import SupernetCheckpoint
from nascli.component import Reference
from nascli.console import out
from nascli.cost.bounded import bounded
from nascli.cost.constraint import Constraint
from nascli.cost.feasible import FeasibleSet
from nascli.cost.macs import Macs
from nascli.cost.model import CostModel
from nascli.cost.params import Params
from nascli.cost.table import from_table
from nascli.errors import BudgetSpent, Interrupted, RunFailed, UsageError
from nascli.run import Run
from nascli.search_space.base import SearchSpace
from nascli.search_strategy.base import Score, SearchStrategy
from nascli.space import Archs
from nascli.training_agent.base import Evaluator, EvaluatorInputs, NoEvaluator
from nascli.training_agent.executor import Executor, Local
from nascli.training_agent.job import Job
from nascli.training_agent.problem import Problem
from nascli.training_agent.workers import done, serve

WITH_ARCH_PARAMETERS = "nascli train-supernet -c CONFIG --training-strategy differentiable -o supernet.pt"


@dataclass(frozen=True)
class Search:
    """What a search is told besides its inputs."""

    strategy: Reference
    evaluator: Reference
    constraints: Sequence[Constraint]
    max_evaluations: int
    checkpoint_minutes: float
    margin: float | None = None
    """Of measured costs, relative; None: what the table states."""
    learned: StrategyState | None = None
    time_budget: float | None = None
    """Minutes; None: as many as it takes."""
    executor: Executor = field(default_factory=Local)
    parts: Mapping[str, Reference] = field(default_factory=dict)
    """What an executor of other processes resolves again there: "search_space", "dataflow", "training_agent"."""


def run_search(inputs: EvaluatorInputs, record: SpaceRecord, lut: LookupTable | None, told: Search) -> Architecture:
    """Search, write the history beside the result, and return the winner.

    On several processes the first one searches, and the others score for it.

    Raises:
        Infeasible: no architecture meets the constraints; nothing was loaded yet.
        UsageError: strategy, evaluator and inputs do not go together.
    """
    check_parts(told.strategy, told.evaluator, inputs.supernet, told.learned)
    strategy: SearchStrategy = told.strategy.build()
    told.executor.check()
    if inputs.setup.run.ranks.world_size > 1 and not isinstance(told.executor, Local):
        hint = "one process: --devices 1, without torchrun or srun; the executor has workers of its own"
        raise UsageError(
            "candidates are shared out by an executor, or by the processes of a run, not by both", hint=hint
        )
    feasible = bounded(costs_of(inputs.space, lut), told.constraints, told.margin)
    strategy.check(feasible)
    with told.executor.session():
        given = replace(inputs, engines=told.executor.engines(inputs.engines))
        return _run(strategy, given, record, feasible, told)


def _run(
    strategy: SearchStrategy, inputs: EvaluatorInputs, record: SpaceRecord, feasible: FeasibleSet, told: Search
) -> Architecture:
    """Weights and data, then the strategy, then what it leaves."""
    evaluator = _evaluator(told, inputs.supernet)
    data, run = _data(inputs, evaluator), inputs.setup.run
    if told.learned is not None:
        if data is not None:
            same_data(data, told.learned.header.data, "--generator")
        strategy.begin_with(told.learned.payload.state)
    facts, ranks = dict(evaluator.prepare(inputs)), run.ranks
    run.resumable = True
    if not ranks.is_first:
        served: Architecture = serve(evaluator, ranks)
        return served
    run.facts |= {"data": data.fingerprint if data else None, **facts}
    job = partial(Job.of, {"evaluator": told.evaluator, **told.parts}, inputs, facts)
    with told.executor.workers(evaluator, job, run) as workers:
        problem = Problem(record, feasible.model, feasible, evaluator, run, told, workers, data)
        problem.offers = evaluator.offered(inputs.supernet)
        with run.progress("searching", min(told.max_evaluations, feasible.count.upper)) as problem.bar:
            try:
                winner, score, found, front = _search(strategy, problem, run)
            except Interrupted as error:
                _keep_best(problem, record, told, run, error)
                raise
    run.save("history", problem.history(front))
    _best_so_far(run).unlink(missing_ok=True)
    _save_learned(strategy, record, data, told, run)
    summary = _summary(feasible.model, feasible, told.constraints, winner, score) | facts | dict(found)
    spent = {"evaluations": problem.evaluated, "images": problem.images}
    result = _architecture(problem, record, winner, summary | spent)
    done(result, ranks)
    return result


def _save_learned(
    strategy: SearchStrategy, record: SpaceRecord, data: DataRecord | None, told: Search, run: Run
) -> None:
    learned = strategy.learned()
    if learned is not None:
        state, facts = LearnedState(told.strategy.name, learned.state), {"strategy": told.strategy.name}
        run.save("generator", StrategyState(state, space=record, data=data, summary=facts | dict(learned.facts)))


def _architecture(problem: Problem, record: SpaceRecord, arch: Archs, summary: Mapping[str, Any]) -> Architecture:
    return Architecture(Choice(tuple(int(i) for i in arch)), space=record, data=problem.data, summary=summary)


def _evaluator(told: Search, supernet: SupernetCheckpoint | None) -> Evaluator:
    """The evaluator; where a strategy that has learned is given no supernet, one that scores nothing."""
    evaluator: Evaluator = told.evaluator.build()
    if supernet is not None or not evaluator.needs_supernet:
        return evaluator
    out.note("without --supernet the answer has no score")
    return NoEvaluator()


def _best_so_far(run: Run) -> Path:
    return run.path.with_suffix(".best.npy")


def _keep_best(problem: Problem, record: SpaceRecord, told: Search, run: Run, error: Interrupted) -> None:
    """Leave the best of an interrupted search as an architecture of its own; the interruption says where."""
    try:
        winner, score = problem.best()
    except RunFailed:  # nothing has a score yet
        return
    summary = _summary(problem.costs, problem.feasible, told.constraints, winner, score)
    summary |= {"evaluations": problem.evaluated, "interrupted": True}
    best = run.save("best", _architecture(problem, record, winner, summary))
    error.why = f"the best so far is in {best}"


Found = tuple[Archs, Score | None, Mapping[str, Any], Archs]


def _search(strategy: SearchStrategy, problem: Problem, run: Run) -> Found:
    """The strategy's winner, its score or None where it was not scored, the strategy's facts, and its front.

    The best so far when the budget ran out.
    """
    try:
        outcome = strategy.search(problem, run.rng("search"))
    except BudgetSpent:
        run.log(event="budget spent", evaluated=problem.evaluated)
        return *problem.best(), {}, np.empty((0, len(problem.space.decisions)), dtype=np.int64)
    if not len(outcome.archs):
        raise RunFailed("the search strategy found nothing")
    if problem.evaluated:
        problem.best()  # what a strategy makes of failed scores alone is no result
    winner = problem.checked(outcome.archs[:1])[0]
    run.log(event="found", facts=dict(outcome.facts))
    return winner, problem.known(winner), outcome.facts, outcome.archs[: outcome.front]


def costs_of(space: SearchSpace, lut: LookupTable | None) -> CostModel:
    """The costs of a lookup table; without one, MACs and parameters are counted on the spot."""
    return from_table(lut.payload, space.space) if lut else space.lookup_table([Macs(), Params()])


def check_parts(
    strategy: Reference,
    evaluator: Reference,
    supernet: SupernetCheckpoint | None,
    learned: StrategyState | None = None,
) -> None:
    """Look at classes and headers alone.

    Raises:
        UsageError: the evaluator lacks what the strategy needs, or the supernet that it needs itself; or the strategy
            cannot begin with what was learned.
    """
    strategies, evaluators = cast(type[SearchStrategy], strategy.cls), cast(type[Evaluator], evaluator.cls)
    if learned is not None:
        _check_learned(strategy, learned)
        return
    missing = strategies.requires - evaluators.offered(supernet)
    if missing == {"arch_parameters"} and supernet is not None:
        raise UsageError(
            f"the search strategy '{strategy.use}' needs architecture parameters, which "
            f"{supernet.path or '--supernet'} lacks",
            hint=f"train a supernet with them: {WITH_ARCH_PARAMETERS}",
        )
    if evaluators.needs_supernet and supernet is None:
        wants_arch = "arch_parameters" in strategies.requires
        hint = f"make one: {WITH_ARCH_PARAMETERS if wants_arch else SupernetCheckpoint.made_by}"
        raise UsageError(f"the evaluator '{evaluator.use}' needs --supernet", hint=hint)
    if missing:
        what = ", ".join(sorted(missing))
        raise UsageError(f"the search strategy '{strategy.use}' needs {what}, which '{evaluator.use}' lacks")


def _check_learned(strategy: Reference, learned: StrategyState) -> None:
    given = learned.path or "--generator"
    if not cast(type[SearchStrategy], strategy.cls).learns:
        hint = f"--search-strategy {learned.strategy}, or leave --generator out"
        raise UsageError(f"the search strategy '{strategy.use}' begins with nothing learned", hint=hint)
    if learned.strategy != strategy.name:
        what = f"{given} was learned by the search strategy '{learned.strategy}', not by '{strategy.name}'"
        raise UsageError(what, hint=f"--search-strategy {learned.strategy}")


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
        **({"margin": feasible.margins} if feasible.margins else {}),
        "feasible": float(count.lower) if count.lower == count.upper else [float(count.lower), float(count.upper)],
        "of": float(feasible.space.count),
    }
