"""Measuring a lookup table as a run: with what there is already, resumable, and with a word about what disturbed it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from nascli.artifacts.base import same_space
from nascli.artifacts.header import SpaceRecord
from nascli.artifacts.lookup_table import LookupTable
from nascli.console import out
from nascli.cost.keeping import RunKeeper
from nascli.cost.load import disturbed
from nascli.cost.measurements import SHOWN
from nascli.cost.measuring import LEAST
from nascli.cost.meter import Meter
from nascli.cost.model import CostModel, Metric
from nascli.cost.sampled_meter import SampledMeter
from nascli.cost.table import from_table, to_table
from nascli.errors import UsageError
from nascli.run import Run
from nascli.space import Space


class Measurable(Protocol):
    """A search space, as far as a lookup table needs it."""

    @property
    def space(self) -> Space:
        """As data."""

    def lookup_table(self, meters: Sequence[Meter]) -> CostModel:
        """What each candidate costs."""


def build(
    found: Measurable, meters: Sequence[Meter], run: Run, record: SpaceRecord, before: LookupTable | None = None
) -> LookupTable:
    """Measure a space, and add what another table of it holds.

    Raises:
        UsageError: one metric twice.
        Mismatch: the other table is of another space.
        Interrupted: the run was asked to stop; a resumed one goes on with the next round.
    """
    earlier = _earlier(found.space, [meter.metric for meter in meters], before)
    sampled = [meter for meter in meters if isinstance(meter, SampledMeter)]
    keeper = RunKeeper(run) if sampled else None
    for meter in sampled:
        meter.keeper = keeper
    costs = found.lookup_table(meters)
    return _table(costs, record, earlier)


def joined(costs: CostModel, record: SpaceRecord, before: LookupTable | None = None) -> LookupTable:
    """The table of some metrics and of those that another table holds.

    Raises:
        UsageError: one metric twice.
        Mismatch: the other table is of another space.
    """
    return _table(costs, record, _earlier(costs.space, list(costs.metrics), before))


def _table(costs: CostModel, record: SpaceRecord, earlier: CostModel | None) -> LookupTable:
    for metric in costs.metrics.values():
        _warn(metric)
    return LookupTable(to_table(costs if earlier is None else earlier.merged(costs)), space=record)


def _earlier(space: Space, names: Sequence[str], before: LookupTable | None) -> CostModel | None:
    known = set(before.metrics) if before else set()
    for name in names:
        if names.count(name) > 1 or name in known:
            plain = name.partition("@")[0]
            hint = f"--set 'meters=[{{use: {plain}, device: NAME}}]' calls it {plain}@NAME"
            where = "--lut has it already" if name in known else "two meters measure it"
            raise UsageError(f"the metric '{name}' twice: {where}", hint=hint)
    if before is None:
        return None
    same_space(space, before.space, "--lut", "merge tables of one search space")
    return from_table(before.payload, space)


def _warn(metric: Metric) -> None:
    for sentence in doubts(metric.name, metric.notes):
        out.warning(sentence)


def doubts(name: str, notes: Mapping[str, Any]) -> Iterator[str]:
    """What a person should know of a measured metric before using it, from its notes."""
    yield from _imported_doubts(name, notes)
    load = notes.get("load")
    if load and disturbed(**load):
        busy = f"{load['others']:.2g} cores" if load["others"] else f"{100 * load['waiting']:.0f} % of the time"
        yield f"{name}: other processes took {busy} during the measurement; measure again on an idle machine"
    reached, wanted = notes.get("reliability"), notes.get("min_reliability")
    if reached is not None and wanted is not None and reached < wanted:
        yield f"{name}: two halves of the rounds agree to {reached:.3f} only, not {wanted:g}; give it more budget_s"
    table, macs = (notes.get(f"held_out_{predictor}") for predictor in ("table", "macs"))
    if table and macs and macs["mape"] <= table["mape"]:
        errors = f"{100 * macs['mape']:.1f} % against {100 * table['mape']:.1f} %"
        yield f"{name}: MACs predict held-out networks as well as the table does (mean error {errors})"


def _imported_doubts(name: str, notes: Mapping[str, Any]) -> Iterator[str]:
    guessed, few = notes.get("filled"), notes.get("too_few_networks")
    if guessed:
        ids, how = guessed["blocks"], {"macs": "by a line over MACs", "nearest": "like the nearest measured block"}
        rest = f", and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
        sentence = f"{name}: {len(ids)} blocks were not measured but filled {how[guessed['how']]}"
        yield f"{sentence}: {', '.join(ids[:SHOWN])}{rest}"
    if few:
        yield f"{name}: {few} whole networks are too few to correct or judge it; measure {LEAST} or more"
