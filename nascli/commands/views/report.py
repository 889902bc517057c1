"""A report: "report" (what a second evaluation repeats) and "measured" (what the clock said)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nascli.artifacts.report import Report
from nascli.commands.views.common import View, flat
from nascli.console import show

MOST_ROWS = 50
TITLES = {"confusions": "most confused classes", "mistakes": "worst mistakes"}
RESULT, COSTS, CONDITIONS = "evaluation on the test set", "costs of the network", "how latency was measured"
COUNTED = ("macs", "params")
LATENCY = "latency_ms"
INTERVAL = "_interval_95"


def facts(artifact: Report) -> dict[str, Any]:
    """The values of the report."""
    return {"report": artifact.payload.report, "measured": artifact.payload.measured}


def tables(facts: Mapping[str, Any]) -> Iterator[View]:
    """The metrics, the costs, a table for each list of mappings (as of classes), the conditions of the measurement."""
    report, measured = facts["report"], facts["measured"]
    lists = {name: value for name, value in report.items() if _is_table(value)}
    square = {name for name, value in report.items() if _is_matrix(value)}  # `nascli report` draws it
    costs, told = _costs(facts)
    left = {name: value for name, value in report.items() if name not in {*lists, *square, *told} and value != []}
    yield RESULT, ["metric", "value"], _metrics(left)
    if costs:
        yield COSTS, ["cost", "predicted", "measured", *(["doubt"] if len(costs[0]) > 3 else [])], costs
    for name, items in lists.items():
        title = TITLES.get(name, name.replace("_", " "))
        shown = f" (the first {MOST_ROWS} of {len(items):,})" if len(items) > MOST_ROWS else ""
        cells: list[list[object]] = [list(item.values()) for item in items[:MOST_ROWS]]
        yield title + shown, list(items[0]), cells
    conditions: list[list[object]] = [
        [key, show(value)] for key, value in flat(measured) if key != LATENCY and value not in (None, "")
    ]
    if conditions:
        yield CONDITIONS, ["condition", "value"], conditions


def _metrics(report: Mapping[str, Any]) -> list[list[object]]:
    """A row for each value that is known: first those that have an interval, which stands behind them."""
    between = {
        name: f"{show(value)} (95 %: {show(ends[0])} to {show(ends[1])})"
        for name, value in report.items()
        if isinstance(ends := report.get(name + INTERVAL), list) and len(ends) == 2 and value is not None
    }
    rest = {name: value for name, value in report.items() if name.removesuffix(INTERVAL) not in between}
    return [[name, show(value)] for name, value in (*between.items(), *flat(rest)) if value is not None]


def _costs(facts: Mapping[str, Any]) -> tuple[list[list[object]], set[str]]:
    """Rows of what the table predicts and what was counted or measured, with doubts; the names told of in them."""
    report, measured = facts["report"], facts["measured"]
    found = {name: report[name] for name in COUNTED if isinstance(report.get(name), int)}
    told = {*found}
    if LATENCY in measured:
        found = {LATENCY: measured[LATENCY], **found}
    predicted = report.get("table")
    if isinstance(predicted, Mapping) and all(isinstance(value, int | float) for value in predicted.values()):
        told.add("table")
    else:
        predicted = {}
    doubts = [doubt.removeprefix(f"{LATENCY}: ") for doubt in warnings(facts)]
    rows: list[list[object]] = [
        [
            name,
            predicted.get(name),
            found.get(name),
            *(["; ".join(doubts) if name == LATENCY else ""] if doubts else []),
        ]
        for name in dict.fromkeys((*found, *predicted))
    ]
    return rows, told


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
