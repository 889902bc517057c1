"""`nascli search`: find the best architecture under a constraint."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.strategy_state import StrategyState
from nascli.artifacts.supernet import SupernetCheckpoint
from nascli.component import Kind, Reference
from nascli.config import option, run_option, shared
from nascli.run import Run
from nascli.stage import stage
from nascli.training_agent.settings import Constraints, Task


class SearchConfig(Task):
    """Settings of `search`."""

    search_space: Annotated[Reference, Kind("search_space")] | None = shared(None, description="What can be searched.")
    search_strategy: Annotated[Reference, Kind("search_strategy")] = option(
        "evolution", description="Which architecture to try next."
    )
    evaluator: Annotated[Reference, Kind("evaluator")] = option(
        "supernet", description="What gives an architecture its score."
    )
    constraint: Constraints = shared((), description="bounds such as 'macs<=30e6'; all of them hold")
    margin: float | None = shared(
        None,
        ge=0,
        description="how far measured costs may be off without breaking a bound, a share; null: the table's error",
    )
    max_evaluations: int = Field(200, ge=1, description="architectures that are scored")
    time_budget: float | None = Field(
        None, gt=0, description="minutes, after which the best so far is taken; a resumed search starts its clock anew"
    )
    executor: Annotated[Reference, Kind("executor")] = run_option(
        "local", description="Where architectures are scored: local, or ray for many at once."
    )
    checkpoint_minutes: float = run_option(0.5, gt=0, description="minutes between checkpoints of the history")
    seed: int = shared(0, ge=0, description="seed of all random streams")


@stage(
    "search",
    examples=[
        "nascli search -c examples/quickstart.yaml --lut lut.h5 --supernet supernet.pt -o arch.npy",
        "nascli search -c examples/quickstart.yaml --supernet supernet.pt --search-strategy random "
        "--constraint 'macs<=2e5' -o arch.npy --force",
    ],
    sides=[".history.h5", ".generator.pt"],
)
def search(
    config: SearchConfig,
    run: Run,
    lut: LookupTable | None,
    supernet: SupernetCheckpoint | None,
    generator: StrategyState | None,
) -> Architecture:
    """Search for the best architecture that meets the constraints."""
    from nascli.cost.constraint import Constraint
    from nascli.search_space.base import realise, reference_of
    from nascli.training_agent.base import EvaluatorInputs
    from nascli.training_agent.searching import Search, run_search

    given = {"lut": lut, "supernet": supernet, "generator": generator}
    records = {role: artifact.space for role, artifact in given.items() if artifact is not None}
    space, record = realise(config.search_space, records)
    setup = config.setup(run)
    constraints = [Constraint.parse(text) for text in config.constraint]
    told = Search(
        config.search_strategy,
        config.evaluator,
        constraints,
        config.max_evaluations,
        config.checkpoint_minutes,
        margin=config.margin,
        learned=generator,
        time_budget=config.time_budget,
        executor=config.executor.build(),
        parts={
            "search_space": config.search_space or reference_of(record),
            "dataflow": config.dataflow,
            "training_agent": config.training_agent,
        },
    )
    return run_search(EvaluatorInputs(space, setup, config, supernet), record, lut, told)
