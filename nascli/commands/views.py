"""What each kind of artifact looks like: tables for people, one object for `--json`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.base import Artifact
from nascli.artifacts.header import Header
from nascli.artifacts.history import History
from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.report import Report
from nascli.console import show
from nascli.space import compact

View = tuple[str, list[str], list[list[object]]]


def as_json(artifact: Artifact[Any]) -> dict[str, Any]:
    """The facts of an artifact as one JSON object; a report with its values."""
    header = artifact.header
    fields = {"kind", "schema_version", "nascli_version", "digest", "config", "summary", "provenance"}
    result: dict[str, Any] = {"path": str(artifact.path), **header.model_dump(mode="json", include=fields)}
    result["space"] = {"name": header.space.use, "fingerprint": header.space.fingerprint} if header.space else None
    result["data"] = header.data.model_dump(mode="json") if header.data else None
    result["inputs"] = {role: source.digest for role, source in header.inputs.items()}
    if isinstance(artifact, Report):
        result |= {"report": artifact.payload.report, "measured": artifact.payload.measured}
    if isinstance(artifact, Architecture):
        result["arch"] = list(artifact.payload.arch)
    return result


def tables(artifact: Artifact[Any]) -> Iterator[View]:
    """The tables of an artifact: its own view, then its facts."""
    for kind, view in VIEWS.items():
        if isinstance(artifact, kind):
            yield from view(artifact)
    yield facts(artifact)


def facts(artifact: Artifact[Any]) -> View:
    """What every header tells, and the plain values of its summary."""
    header = artifact.header
    rows: list[list[object]] = [["file", artifact.path], ["digest", header.digest[:16]]]
    if header.space:
        rows.append(["search space", f"{header.space.use} ({header.space.fingerprint[:12]})"])
    if header.data:
        rows.append(["data", f"{header.data.name} ({header.data.fingerprint[:12]})"])
    rows += [[key, value] for key, value in flat(header.summary) if not key.startswith("metrics.")]
    return f"{header.kind} of nascli {header.nascli_version}", ["", "value"], [[k, show(v)] for k, v in rows]


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Nested values as (dotted name, value)."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", ", ".join(map(show, value)) if isinstance(value, list | tuple) else value


def _lookup_table(artifact: LookupTable) -> Iterator[View]:
    space, columns = artifact.space.space(), artifact.payload.columns
    names = [f"{name} [{column.unit}]" for name, column in columns.items()]
    rows: list[list[object]] = [["(fixed part)", "", *(column.base for column in columns.values())]]
    lookup = {
        name: {decisions[0]: values for decisions, values in column.factors if len(decisions) == 1}
        for name, column in columns.items()
    }
    for i, decision in enumerate(space.decisions):
        for index in range(decision.size):
            cells = [lookup[name][i][index].item() if i in lookup[name] else None for name in columns]
            rows.append([decision.label, decision.name(index), *cells])
    yield "cost of each candidate", ["decision", "candidate", *names], rows


def _architecture(artifact: Architecture) -> Iterator[View]:
    if artifact.is_external:
        yield "architecture", ["indices"], [[compact(artifact.payload.arch)]]
        return
    names = artifact.space.space().names(artifact.payload.arch)
    rows: list[list[object]] = [
        [label, int(i), chosen] for i, (label, chosen) in zip(artifact.payload.arch, names, strict=True)
    ]
    yield "architecture", ["decision", "index", "candidate"], rows


def _history(artifact: History) -> Iterator[View]:
    import numpy as np

    trials = artifact.payload
    best = np.lexsort((trials.loss, -trials.accuracy))[:10]
    rows: list[list[object]] = [
        [
            int(i) + 1,
            compact(trials.archs[i]),
            float(trials.accuracy[i]),
            float(trials.loss[i]),
            *(values[i].item() for values in trials.costs.values()),
        ]
        for i in best
    ]
    yield (
        f"best {len(best)} of {len(trials.archs)} architectures",
        ["trial", "architecture", "accuracy", "loss", *trials.costs],
        rows,
    )


def _report(artifact: Report) -> Iterator[View]:
    report, measured = artifact.payload.report, artifact.payload.measured
    plain = {key: value for key, value in report.items() if key != "confusions"}
    rows: list[list[object]] = [[key, show(value)] for key, value in (*flat(plain), *flat(measured, "measured."))]
    yield "evaluation on the test set", ["metric", "value"], rows
    confused: list[list[object]] = [[c["true"], c["predicted"], c["images"]] for c in report.get("confusions", [])]
    if confused:
        yield "most confused classes", ["true", "predicted", "images"], confused


VIEWS: dict[type[Artifact[Any]], Callable[[Any], Iterator[View]]] = {
    LookupTable: _lookup_table,
    Architecture: _architecture,
    History: _history,
    Report: _report,
}


def lineage(header: Header, name: str) -> Iterator[str]:
    """The tree of everything an artifact was made from, down to space and data."""
    yield f"{name}  {header.kind}  {header.digest[:12]}"
    leaves: list[tuple[str, Header | None]] = []
    if header.space:
        leaves.append((f"search space  {header.space.use}  {header.space.fingerprint[:12]}", None))
    if header.data:
        sizes = ", ".join(f"{split} {size:,}" for split, size in header.data.sizes.items())
        leaves.append((f"data  {header.data.name}  {header.data.fingerprint[:12]}  ({sizes})", None))
    leaves += [(role, source) for role, source in header.inputs.items()]
    for i, (text, source) in enumerate(leaves):
        last = i == len(leaves) - 1
        lines = [text] if source is None else list(lineage(source, text))
        yield f"{'└── ' if last else '├── '}{lines[0]}"
        yield from (f"{'    ' if last else '│   '}{line}" for line in lines[1:])
