"""The figures that matter most, at a glance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.header import Header
from nascli.artifacts.history import History
from nascli.artifacts.report import Report
from nascli.commands.reporting.material import Material
from nascli.commands.reporting.parts import Diagram, Section, short
from nascli.commands.reporting.search import bounds_of
from nascli.commands.views.common import rounded
from nascli.console import show

Card = dict[str, str]
COSTS = {"macs": "multiply-accumulates", "params": "parameters"}


def sections(material: Material) -> Iterator[Section]:
    """One section of cards: of the first evaluation and the first search, and of the space and the data."""
    headers = [artifact.header for artifact in material.artifacts]
    reports = [artifact.payload for artifact in material.of(Report)][:1]
    cards = [card for evaluation in reports for card in (*_tested(evaluation.report), *_measured(evaluation.measured))]
    cards += [card for found in material.of(Architecture)[:1] for card in _found(found.header, bool(reports))]
    cards += [card for found in material.of(History)[:1] for card in _tried(found)]
    cards += [_space(header) for header in headers if header.space][:1] + [_data(h) for h in headers if h.data][:1]
    if cards:
        yield Section("overview", "At a glance", "", [Diagram("cards", "", {"cards": cards})])


def _card(value: str, label: str, more: str = "") -> Card:
    return {"value": value, "label": label, "more": more}


def _tested(report: Any) -> Iterator[Card]:
    name = next((key for key in ("top1", "accuracy") if isinstance(report.get(key), float)), None)
    if name:
        interval = report.get(f"{name}_interval_95")
        more = (
            f"95 %: {100 * interval[0]:.2f} to {100 * interval[1]:.2f} %"
            if isinstance(interval, list) and len(interval) == 2
            else ""
        )
        yield _card(f"{100 * report[name]:.2f} %", f"{name} on {show(report.get('images'))} test images", more)
    for metric, words in COSTS.items():
        if isinstance(report.get(metric), int):
            yield _card(short(report[metric]), words, show(report[metric]))


def _measured(measured: Any) -> Iterator[Card]:
    if isinstance(measured.get("latency_ms"), float):
        conditions = [str(measured[key]) for key in ("backend", "device", "accelerator") if measured.get(key)]
        if threads := measured.get("threads"):
            conditions.append(f"{threads} thread{'s' if threads != 1 else ''}")
        yield _card(f"{measured['latency_ms']:.3g} ms", "measured latency", ", ".join(conditions))


def _found(header: Header, tested: bool) -> Iterator[Card]:
    summary = header.summary
    if isinstance(summary.get("accuracy"), float):
        yield _card(f"{100 * summary['accuracy']:.2f} %", "validation score in the search", "by the evaluator")
    for bound in bounds_of(summary):
        sign = "at most" if bound.upper else "at least"
        yield _card(f"{bound.metric} {sign} {short(bound.bound)}", "constraint", str(bound))
    for metric, cost in () if tested else summary.get("costs", {}).items():
        yield _card(short(cost), COSTS.get(metric, metric), show(cost))


def _tried(history: History) -> Iterator[Card]:
    trials = history.payload
    yield _card(show(len(trials.archs)), "candidates scored", f"{show(int(trials.images.sum()))} images looked at")


def _space(header: Header) -> Card:
    assert header.space is not None
    space = header.space.space()
    return _card(header.space.use, "search space", f"{rounded(space.count)} architectures")


def _data(header: Header) -> Card:
    assert header.data is not None
    sizes = ", ".join(f"{split} {size:,}" for split, size in header.data.sizes.items())
    return _card(header.data.name, f"data, {len(header.data.classes)} classes", sizes)
