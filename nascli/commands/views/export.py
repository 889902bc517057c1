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
    """The formats with the largest difference and the latency, then what goes in and comes out."""
    report, measured = facts["report"], facts["measured"]
    rows: list[list[object]] = []
    for name in FORMATS:
        if name in report:
            told, found = report[name], measured[name]
            difference = f"{found['max_abs_difference']:.2g} of {found['largest_output']:.2g}"
            batch = told["batch"] or "any"
            rows.append([name, ", ".join(told["files"]), batch, difference, _latency(found)])
    yield "exported", ["format", "files", "images", "largest difference", "latency_ms (95 %), threads"], rows
    sides = {key: report[key] for key in ("input", "output", "classes")}
    yield "for use", ["", "value"], [[key, show(value)] for key, value in flat(sides) if value is not None]


def warnings(facts: Mapping[str, Any]) -> Iterator[str]:
    """What speaks against trusting the latency."""
    from nascli.cost.building import doubts

    yield from doubts("latency_ms", facts["measured"].get("onnx", {}))


def _latency(found: Mapping[str, Any]) -> str:
    if "latency_ms" not in found:
        return ""
    low, high = found["latency_interval_ms"]
    return f"{show(found['latency_ms'])} ({show(low)} – {show(high)}), {found['threads']}"
