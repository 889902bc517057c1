"""A report: "report" (what a second evaluation repeats) and "measured" (what the clock said)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nascli.artifacts.report import Report
from nascli.commands.views.common import View, flat
from nascli.console import show

MOST_ROWS = 50
TITLES = {"confusions": "most confused classes", "mistakes": "worst mistakes"}


def facts(artifact: Report) -> dict[str, Any]:
    """The values of the report."""
    return {"report": artifact.payload.report, "measured": artifact.payload.measured}


def tables(facts: Mapping[str, Any]) -> Iterator[View]:
    """The metrics, and a table for each list of mappings: the classes, the pairs that are confused most."""
    report, measured = facts["report"], facts["measured"]
    lists = {name: value for name, value in report.items() if _is_table(value)}
    square = {name for name, value in report.items() if _is_matrix(value)}  # `nascli report` draws it
    plain = {name: value for name, value in report.items() if name not in {*lists, *square} and value != []}
    values = (*flat(plain), *flat(measured, "measured."))
    rows: list[list[object]] = [[key, show(value)] for key, value in values if value is not None]
    yield "evaluation on the test set", ["metric", "value"], rows
    for name, items in lists.items():
        title = TITLES.get(name, name.replace("_", " "))
        shown = f" (the first {MOST_ROWS} of {len(items):,})" if len(items) > MOST_ROWS else ""
        cells: list[list[object]] = [list(item.values()) for item in items[:MOST_ROWS]]
        yield title + shown, list(items[0]), cells


def warnings(facts: Mapping[str, Any]) -> Iterator[str]:
    """What speaks against trusting the latency."""
    from nascli.cost.building import doubts

    yield from doubts("latency_ms", facts["measured"])


def _is_table(value: Any) -> bool:
    """A list of mappings that have the same keys."""
    if not (isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value)):
        return False
    return all(list(item) == list(value[0]) for item in value)


def _is_matrix(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, list) for item in value)
