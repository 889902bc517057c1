"""`--dry-run`: everything that can be known before a stage computes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.base import Artifact, same_data
from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.strategy_state import StrategyState
from nascli.artifacts.supernet import SupernetCheckpoint
from nascli.config import Config
from nascli.console import show
from nascli.errors import RunFailed
from nascli.stage.declaration import Stage
from nascli.stage.execution import check_output

if TYPE_CHECKING:
    from nascli.cost.feasible import FeasibleSet
    from nascli.search_space.base import SearchSpace

ENOUGH_BYTES = 64 * 2**20


def plan(target: Stage, config: Config, inputs: Mapping[str, Artifact[Any] | None], path: Path) -> dict[str, str]:
    """What the stage would read and write, having checked what can be checked.

    Settings, components and the inputs' headers were checked when they were loaded; here the space, the data, the
    constraint, the output and the disk are.

    Raises:
        NascliError: what the run itself would raise.
    """
    check_output(target, path)
    there = {role: artifact for role, artifact in inputs.items() if artifact is not None}
    rows = {f"reads --{role}": f"{a.path or 'as written'} ({a.header.digest[:12]})" for role, a in there.items()}
    told: Any = config
    if hasattr(told, "search_space"):
        space, name = _space(told, there)
        rows["search space"] = f"{name}, {show(space.space.count)} architectures"
        if hasattr(told, "training_strategy") and hasattr(told, "constraint"):
            rows |= _training(space, told, there)
        if hasattr(told, "evaluator") and hasattr(told, "constraint"):
            rows |= _search(space, told, there)
        if hasattr(told, "dataflow"):
            rows |= _data(space, told, there)
    return rows | _output(path)


def _space(told: Any, inputs: Mapping[str, Artifact[Any]]) -> tuple[SearchSpace, str]:
    """The search space, and how it is called in the YAML."""
    from nascli.search_space.base import realise

    records = {role: artifact.header.space for role, artifact in inputs.items() if artifact.header.space}
    space, record = realise(told.search_space, records)
    for artifact in inputs.values():
        if isinstance(artifact, Architecture) and artifact.is_external:
            artifact.adopt(record)
    return space, record.use


def _training(space: SearchSpace, told: Any, inputs: Mapping[str, Artifact[Any]]) -> dict[str, str]:
    """The strategy accepts the space, and every candidate can be built."""
    from nascli.engine import Engine

    feasible = _feasible(space, told, inputs)
    told.training_strategy.build().setup(space.space, feasible.model, feasible)
    with Engine("cpu").seeded(0):
        size = sum(parameter.numel() for parameter in space.supernet().parameters())
    return _told(feasible, told) | {"supernet": f"{show(size)} parameters"}


def _search(space: SearchSpace, told: Any, inputs: Mapping[str, Artifact[Any]]) -> dict[str, str]:
    from nascli.training_agent.searching import check_parts

    supernet, learned = inputs.get("supernet"), inputs.get("generator")
    check_parts(
        told.search_strategy,
        told.evaluator,
        supernet if isinstance(supernet, SupernetCheckpoint) else None,
        learned if isinstance(learned, StrategyState) else None,
    )
    feasible = _feasible(space, told, inputs)
    told.search_strategy.build().check(feasible)
    if hasattr(told, "executor"):
        told.executor.build().check()
    return _told(feasible, told)


def _feasible(space: SearchSpace, told: Any, inputs: Mapping[str, Artifact[Any]]) -> FeasibleSet:
    from nascli.cost.bounded import bounded
    from nascli.cost.constraint import Constraint
    from nascli.training_agent.searching import costs_of

    lut = inputs.get("lut")
    costs = costs_of(space, lut if isinstance(lut, LookupTable) else None)
    constraints = [Constraint.parse(text) for text in told.constraint]
    return bounded(costs, constraints, getattr(told, "margin", 0.0))


def _told(feasible: FeasibleSet, told: Any) -> dict[str, str]:
    from nascli.cost.constraint import percent

    low, high = show(feasible.count.lower), show(feasible.count.upper)
    number = low if low == high else f"{low} to {high}"
    margins = ", ".join(f"{name} {percent(margin)}" for name, margin in feasible.margins.items())
    bounds = ", ".join(told.constraint) or "no bound"
    return {"feasible": f"{number} architectures under {bounds}{f', with margins: {margins}' if margins else ''}"}


def _data(space: SearchSpace, told: Any, inputs: Mapping[str, Artifact[Any]]) -> dict[str, str]:
    from nascli.training_agent.recorded import check_recorded

    check_recorded(told, {role: artifact.header for role, artifact in inputs.items()})
    dataflow = told.dataflow.build()
    told.training_agent.build().check(space, dataflow)
    record = dataflow.describe()
    for role, artifact in inputs.items():
        if isinstance(artifact, Architecture):
            continue  # found on one data set, it may be retrained on another
        same_data(record, artifact.header.data, f"--{role}")
    sizes = ", ".join(f"{split} {size:,}" for split, size in record.sizes.items())
    return {"data": f"{record.name}, images {list(record.image_shape)}, {len(record.classes)} classes, {sizes}"}


def _output(path: Path) -> dict[str, str]:
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    if not os.access(folder, os.W_OK):
        raise RunFailed(f"cannot write {path}", why=f"{folder} is read-only")
    if free < ENOUGH_BYTES:
        raise RunFailed(f"cannot write {path}", why=f"{free // 2**20} MiB are free on the disk")
    there = "exists: --force would replace it" if path.exists() else "would be written"
    return {"output": f"{path} ({there})", "free disk": f"{free / 2**30:,.1f} GiB"}
