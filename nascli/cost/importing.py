"""From what others measured to the metric of a search space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nascli.artifacts.lookup_table import Evidence, Joins
from nascli.component import find_class, installed
from nascli.cost.blocks import Blocks
from nascli.cost.filling import FILLS, Fill, filled
from nascli.cost.macs import Macs
from nascli.cost.measurements import SHOWN, Measurements
from nascli.cost.measuring import LEAST, block_costs
from nascli.cost.model import Metric
from nascli.cost.rounds import Array
from nascli.cost.validation import Networks, corrected, error95
from nascli.errors import UsageError


def imported(
    name: str, found: Measurements, blocks: Blocks, fill: Fill | None = None, notes: Mapping[str, Any] | None = None
) -> Metric:
    """The metric of measured blocks; whole networks among them correct the blocks' costs and tell the error.

    Args:
        name: of the metric: "latency_ms@pixel3".
        found: one cost a block.
        fill: how holes are filled; None: they are refused.
        notes: on the conditions of the measurement.

    Raises:
        UsageError: blocks without a cost, and no way to fill them.
    """
    costs, known = found.costs, {**blocks.doubts, **(notes or {})}
    holes = np.isnan(costs)
    macs = np.asarray(block_costs(Macs(), blocks), dtype=np.float64) if holes.any() or len(found.archs) else None
    if holes.any():
        if fill is None or macs is None:
            raise UsageError(_missing(name, blocks, holes), hint=_WAYS)
        costs, known["filled"] = filled(costs, blocks, macs, fill)
    joins = _joins(name)
    evidence = Evidence(tuple(b.id for b in blocks.blocks), found.costs[None], found.archs, found.networks[None])
    if macs is None or not len(found.archs):
        return _metric(name, found.unit, blocks, costs, joins, notes=known, evidence=evidence)
    if joins == "max":
        return _judged(name, found, blocks, costs, notes=known, evidence=evidence)
    if len(found.archs) < LEAST or not (found.networks > 0).all():
        known["too_few_networks"] = len(found.archs)
        return _metric(name, found.unit, blocks, costs, joins, notes=known, evidence=evidence)
    networks = _ascending(found, blocks, macs)
    costs, fixed, facts = corrected(costs, blocks, networks, lambda samples: samples[0], np.random.default_rng(0))
    error = facts["held_out_table"]["error95"]
    ordered = replace(evidence, archs=networks.archs, networks=networks.samples)  # `held_out` goes by their order
    about = {"notes": {**known, **facts}, "error": error, "evidence": ordered}
    return _metric(name, found.unit, blocks, costs, joins, fixed, **about)


_WAYS = f"measure them; or fill the holes with an estimate, which the table then says: --fill {'|'.join(FILLS)}"


def _missing(name: str, blocks: Blocks, holes: Any) -> str:
    ids = [block.id for block, hole in zip(blocks.blocks, holes, strict=True) if hole]
    rest = f", and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return f"{len(ids)} of {len(holes)} blocks have no {name}: {', '.join(ids[:SHOWN])}{rest}"


def _joins(name: str) -> Joins:
    """How the meter of that name makes the cost of a network of those of its blocks; most add up."""
    plain = name.partition("@")[0]
    if plain not in installed("meter"):
        return "sum"
    joins: Joins = getattr(find_class("meter", plain), "joins", "sum")
    return joins


def _metric(name: str, unit: str, blocks: Blocks, costs: Any, joins: Joins, fixed: float = 0.0, **known: Any) -> Metric:
    base, factors = blocks.assembled(costs, joins, fixed)
    return Metric(name, unit, base, factors, exact=False, joins=joins, **known)


def _judged(name: str, found: Measurements, blocks: Blocks, costs: Array, **known: Any) -> Metric:
    """A maximum is not corrected; how far it is from whole networks is its error."""
    totals = _metric(name, found.unit, blocks, costs, "max").total(found.archs)
    error = error95(totals, found.networks)
    known["notes"] = {**known["notes"], "networks": len(found.archs)}
    return _metric(name, found.unit, blocks, costs, "max", error=error, **known)


def _ascending(found: Measurements, blocks: Blocks, macs: Array) -> Networks:
    """The networks by their MACs, so that those of the fit lie between those that are held out."""
    totals = blocks.counts(found.archs) @ macs
    order = np.argsort(totals, kind="stable")
    return Networks(found.archs[order], found.networks[order][None], totals[order])
