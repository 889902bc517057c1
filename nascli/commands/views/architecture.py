"""An architecture: "arch" (its indices), "choices" (decision, index, candidate) and "network" (one line)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.header import Header
from nascli.artifacts.lookup_table import LookupTable
from nascli.commands.views.common import View, clean, named, percent
from nascli.space import compact
from nascli.space.exchange import INDICES, VALUE

MOST = 5
"""Entries of a metric that a person sees in the order of their cost."""


def facts(artifact: Architecture) -> dict[str, Any]:
    """The choices; a vector of the user's own has its indices alone, an answer in JSON what it says of each key."""
    if artifact.answer is not None:
        return {"arch": [], "choices": [_said(*item) for item in artifact.answer.items()], "network": ""}
    return network_facts(artifact.header, artifact.payload.arch)


def _said(key: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    index = next((entry[field] for field in INDICES if field in entry), None)
    name = entry.get(VALUE)
    return {"decision": key, "index": index, "candidate": "+".join(map(str, name)) if isinstance(name, list) else name}


def network_facts(header: Header, arch: Sequence[int]) -> dict[str, Any]:
    """An architecture in the words of its search space."""
    if header.space is None:
        return {"arch": list(arch), "choices": [], "network": compact(arch)}
    space = header.space.space()
    names = list(space.names(arch))
    choices = [
        {"decision": label, "index": int(index), "candidate": name}
        for index, (label, name) in zip(arch, names, strict=True)
    ]
    blocks = (name for _, name in names)
    network = " -> ".join([f"input {list(space.input_shape)}", *blocks, f"{space.classes} classes"])
    return {"arch": list(arch), "choices": choices, "network": network}


def tables(facts: Mapping[str, Any]) -> Iterator[View]:
    """The chosen candidate of each decision, and the network in one line."""
    rows: list[list[object]] = [[c["decision"], c["index"], c["candidate"]] for c in facts["choices"]]
    if rows:
        yield "architecture", ["decision", "index", "candidate"], rows
    if facts["network"]:
        yield "network", [compact(facts["arch"])], [[facts["network"]]]


def cost_shares(lut: LookupTable, arch: Architecture) -> dict[str, Any]:
    """What each choice of an architecture costs: "metrics" and "layers" (costs by metric), these in their order.

    Each metric has "unit", "joins" (whether costs add up or the largest counts), "total" and "largest": "decision",
    "candidate", "cost" and "share" (0 to 1, of the total) of what costs something, the most expensive first.

    Raises:
        ArtifactError: the table is broken, or the architecture is of another space.
    """
    from nascli.artifacts.base import same_space
    from nascli.cost.table import from_table

    space = lut.space.space()
    if arch.is_external:
        arch = arch.adopt(lut.space)
    same_space(space, arch.space, str(arch.path), "measure its space: nascli build-lut -c CONFIG -o lut.h5")
    vector = space.check(arch.payload.arch)[0]
    model = from_table(lut.payload, space)
    costs = {name: model.shares(name, vector) for name in model.metrics}
    names = [("(fixed part)", ""), *space.names(vector)]
    layers = [
        {"decision": label, "candidate": name, "costs": {m: [base, *parts][i] for m, (base, parts) in costs.items()}}
        for i, (label, name) in enumerate(names)
    ]
    totals = {name: model.total(name, vector)[0] for name in model.metrics}
    metrics = {
        name: {
            "unit": metric.unit,
            "joins": metric.joins,
            "total": totals[name],
            "largest": _largest(name, layers, totals[name]),
        }
        for name, metric in model.metrics.items()
    }
    paths = [str(lut.path), str(arch.path)]
    schema = "nascli.inspect.cost-shares/1"
    found: dict[str, Any] = clean({"schema": schema, "paths": paths, "metrics": metrics, "layers": layers})
    return found


def _largest(metric: str, layers: Sequence[Mapping[str, Any]], total: float) -> list[dict[str, Any]]:
    there = [layer for layer in layers if layer["costs"][metric] > 0]
    there.sort(key=lambda layer: -layer["costs"][metric])
    return [
        {
            "decision": layer["decision"],
            "candidate": layer["candidate"],
            "cost": layer["costs"][metric],
            "share": layer["costs"][metric] / total,
        }
        for layer in there
    ]


def share_tables(facts: Mapping[str, Any]) -> Iterator[View]:
    """The cost of each choice beside its share of the total, in order; then, by metric, where most of it goes."""
    yield _in_order(facts)
    for name, metric in facts["metrics"].items():
        rows: list[list[object]] = []
        together, adds_up = 0.0, metric["joins"] == "sum"
        for entry in metric["largest"][:MOST]:
            together += entry["share"]
            shares = (percent(entry["share"], 1), *([percent(together, 1)] if adds_up else []))
            rows.append([entry["decision"], entry["candidate"], entry["cost"], *shares])
        if rows:
            title = f"where {name} goes: the {len(rows)} largest of {len(metric['largest'])}"
            shared = ["share [%]", *(["so far [%]"] if adds_up else [])]
            yield title, ["decision", "candidate", named(name, metric["unit"]), *shared], rows


def _in_order(facts: Mapping[str, Any]) -> View:
    metrics = facts["metrics"]
    pairs = ((named(name, metric["unit"]), f"{name} [%]") for name, metric in metrics.items())
    columns = ["decision", "candidate", *(column for pair in pairs for column in pair)]
    rows: list[list[object]] = []
    for layer in facts["layers"]:
        row: list[object] = [layer["decision"], layer["candidate"]]
        for name, metric in metrics.items():
            row += [layer["costs"][name], percent(layer["costs"][name], metric["total"])]
        rows.append(row)
    totals = [cell for metric in metrics.values() for cell in (metric["total"], percent(1, 1))]
    return f"what {facts['paths'][1]} costs by {facts['paths'][0]}", columns, [*rows, ["total", "", *totals]]
