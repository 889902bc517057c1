"""A lookup table: "metrics" → unit, exactness, conditions, totals, "cells", and the "shares" of the decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from nascli.artifacts.lookup_table import LookupTable
from nascli.commands.views.common import View, flat, named, percent
from nascli.errors import UsageError

if TYPE_CHECKING:
    from nascli.cost.model import Factor, Metric
    from nascli.space import Space


def facts(artifact: LookupTable) -> dict[str, Any]:
    """Each metric with all of its cells.

    "shares": decisions (those that hang together joined) → their part, 0 to 1, of the way from the smallest total to
    the largest; empty, like the totals, where costs depend on decisions that do not hang together.

    Raises:
        ArtifactError: cells are missing, negative or not finite.
    """
    from nascli.cost.table import from_table

    space = artifact.space.space()
    model = from_table(artifact.payload, space)
    return {"metrics": {name: _metric(metric, space) for name, metric in model.metrics.items()}}


def _metric(metric: Metric, space: Space) -> dict[str, Any]:
    conditions = {"unit": metric.unit, "exact": metric.exact, "error": metric.error, "notes": dict(metric.notes)}
    conditions["joins"] = metric.joins
    return {**conditions, "base": metric.base, **_span(metric, space), "cells": list(_cells(metric, space))}


def _cells(metric: Metric, space: Space) -> Iterator[dict[str, Any]]:
    for factor in sorted(metric.factors, key=lambda factor: (len(factor.decisions), factor.decisions)):
        decisions = [space.decisions[i] for i in factor.decisions]
        for index in _canonical(factor, space):
            names = [decision.name(i) for decision, i in zip(decisions, index, strict=True)]
            yield {
                "decisions": [decision.label for decision in decisions],
                "candidates": names,
                "cost": factor.values[index],
            }


def _canonical(factor: Factor, space: Space) -> Iterator[tuple[int, ...]]:
    """The joint indices that architectures have: decisions that do not exist stay at 0, unordered ones are sorted."""
    import numpy as np

    joint = np.array(list(product(*map(range, factor.values.shape))), dtype=np.int64)
    archs = np.zeros((len(joint), len(space.decisions)), dtype=np.int64)
    archs[:, list(factor.decisions)] = joint
    kept = (space.canonical(archs)[:, list(factor.decisions)] == joint).all(axis=1)
    return map(tuple, joint[kept].tolist())


def _span(metric: Metric, space: Space) -> dict[str, Any]:
    from nascli.cost.states import StateSpace

    try:
        costs = StateSpace(space).costs(metric)
    except UsageError:
        return {"smallest": None, "largest": None, "shares": {}}
    labels = ["+".join(space.decisions[i].label for i in group.decisions) for group in space.groups]
    join = sum if metric.joins == "sum" else max
    smallest, largest = (join([metric.base, *ends]) for ends in ([c.min() for c in costs], [c.max() for c in costs]))
    span = float(largest - smallest) or 1.0
    shares = {label: (cost.max() - cost.min()) / span for label, cost in zip(labels, costs, strict=True)}
    return {"smallest": smallest, "largest": largest, "shares": shares}


def tables(facts: Mapping[str, Any]) -> Iterator[View]:
    """Every cell, what each decision decides, the totals, and the conditions of measured metrics."""
    metrics = facts["metrics"]
    yield _cell_table(metrics)
    labels = list(dict.fromkeys(label for metric in metrics.values() for label in metric["shares"]))
    shares: list[list[object]] = [
        [label, *(percent(metric["shares"].get(label), 1) for metric in metrics.values())] for label in labels
    ]
    if shares:
        yield "share of the range of totals", ["decision", *(f"{name} [%]" for name in metrics)], shares
    rows: list[list[object]] = [
        [name, m["unit"], m["smallest"], m["largest"], m["base"], m["exact"], percent(m["error"], 1)]
        for name, m in metrics.items()
    ]
    yield "totals", ["metric", "unit", "smallest", "largest", "fixed part", "exact", "error [%]"], rows
    yield from (held_out(name, m["notes"]) for name, m in metrics.items() if "held_out_table" in m["notes"])
    notes: list[list[object]] = [
        [name, *note] for name, m in metrics.items() for note in flat(m["notes"]) if not note[0].startswith("held_out_")
    ]
    if notes:
        yield "conditions", ["metric", "condition", "value"], notes


PREDICTORS = {"table": "table", "uncorrected": "sum of blocks", "macs": "fitted MACs", "constant": "a constant"}


def held_out(name: str, notes: Mapping[str, Any]) -> View:
    """How well whole networks are predicted, beside trivial predictors and a second measurement of the same ones."""
    rows: list[list[object]] = []
    for predictor, words in PREDICTORS.items():
        found = notes[f"held_out_{predictor}"]
        errors = [percent(found[key], 1) for key in ("mape", "error95", "max")]
        rows.append([words, *errors, found["spearman"], _between(found["spearman_interval"])])
    if notes["floor"] is not None:
        rows.append(["measured again", percent(notes["floor"], 1), None, None, notes["ceiling"], ""])
    n, least, most = (notes["held_out"][key] for key in ("networks", "from", "to"))
    title = f"{name}: {n} held-out networks between {least:.4g} and {most:.4g}"
    return title, ["predictor", "mean error [%]", "95 % [%]", "largest [%]", "Spearman", "95 % interval"], rows


def _between(interval: Sequence[float] | None) -> str:
    return f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else ""


def warnings(facts: Mapping[str, Any]) -> Iterator[str]:
    """What speaks against trusting the table."""
    from nascli.cost.building import doubts

    for name, metric in facts["metrics"].items():
        yield from doubts(name, metric["notes"])


def _cell_table(metrics: Mapping[str, Any]) -> View:
    found: dict[tuple[str, str], dict[str, object]] = {}
    for name, metric in metrics.items():
        for cell in metric["cells"]:
            found.setdefault(cell_name(cell), {})[name] = cell["cost"]
    rows: list[list[object]] = [["(fixed part)", "", *(metric["base"] for metric in metrics.values())]]
    rows += [[*names, *(costs.get(name) for name in metrics)] for names, costs in found.items()]
    columns = ["decision", "candidate", *(named(name, metric["unit"]) for name, metric in metrics.items())]
    return "cost of each candidate", columns, rows


def cell_name(cell: Mapping[str, Any]) -> tuple[str, str]:
    """The decisions and the candidates of a cell in words."""
    return ", ".join(cell["decisions"]), ", ".join(cell["candidates"])
