"""An export: "report" (files, input and output, formats) and "measured" (differences and latency, per format)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nascli.artifacts.export import Export
from nascli.commands.views.common import View, flat
from nascli.console import show

FORMATS = ("torch", "onnx")


def facts(artifact: Export) -> dict[str, Any]:
    """The values of the export."""
    return {"report": artifact.payload.report, "measured": artifact.payload.measured}


def tables(facts: Mapping[str, Any]) -> Iterator[View]:
    """The formats with the largest difference, the latency, then what goes in and comes out."""
    report, measured = facts["report"], facts["measured"]
    rows: list[list[object]] = []
    for name in FORMATS:
        if name in report:
            told, found = report[name], measured[name]
            difference = f"{found['max_abs_difference']:.2g} of {found['largest_output']:.2g}"
            rows.append([name, ", ".join(told["files"]), told["batch"] or "any", difference])
    yield "exported", ["format", "files", "images", "largest difference"], rows
    timed = [_latency(name, measured[name]) for name in FORMATS if "latency_ms" in measured.get(name, {})]
    if timed:
        yield "latency of one image", ["format", "latency_ms", "95 % interval [ms]", "threads"], timed
    sides = {key: report[key] for key in ("input", "output", "classes")}
    yield "for use", ["", "value"], [[key, show(value)] for key, value in flat(sides) if value is not None]


def _latency(name: str, found: Mapping[str, Any]) -> list[object]:
    """Median, interval and threads of a format."""
    low, high = found["latency_interval_ms"]
    return [name, f"{found['latency_ms']:.3g}", f"{low:.3g} to {high:.3g}", found["threads"]]


def warnings(facts: Mapping[str, Any]) -> Iterator[str]:
    """What speaks against trusting the latency."""
    from nascli.cost.building import doubts

    yield from doubts("latency_ms", facts["measured"].get("onnx", {}))
