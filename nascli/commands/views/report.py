"""A report: "report" (what a second evaluation repeats) and "measured" (what the clock said)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nascli.artifacts.report import Report
from nascli.commands.views.common import View, flat
from nascli.console import show


def facts(artifact: Report) -> dict[str, Any]:
    """The values of the report."""
    return {"report": artifact.payload.report, "measured": artifact.payload.measured}


def tables(facts: Mapping[str, Any]) -> Iterator[View]:
    """The metrics, and the pairs of classes that are confused most."""
    report, measured = facts["report"], facts["measured"]
    plain = {key: value for key, value in report.items() if key != "confusions"}
    rows: list[list[object]] = [[key, show(value)] for key, value in (*flat(plain), *flat(measured, "measured."))]
    yield "evaluation on the test set", ["metric", "value"], rows
    confused: list[list[object]] = [[c["true"], c["predicted"], c["images"]] for c in report.get("confusions", [])]
    if confused:
        yield "most confused classes", ["true", "predicted", "images"], confused
