"""A history: "trials" in order (arch, accuracy, loss, images, costs, error), "best" and "front" as rows of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nascli.artifacts.history import History
from nascli.commands.views.common import View
from nascli.space import compact

BEST = 10
POINTS = 10
BAR = 20


def facts(artifact: History) -> dict[str, Any]:
    """All trials; rows count from 0.

    "best": rows by accuracy, then loss. "front": what the strategy says is its front, its choice first; else rows that
    no other beats in both accuracy and the first metric's cost, from the cheapest, empty without costs.
    "best_so_far": the highest accuracy up to each row.
    """
    trials = artifact.payload
    rows = [
        {
            "arch": trials.archs[i].tolist(),
            "accuracy": float(trials.accuracy[i]),
            "loss": float(trials.loss[i]),
            "images": int(trials.images[i]),
            "costs": {name: values[i] for name, values in trials.costs.items()},
            "error": trials.errors.get(i),
        }
        for i in range(len(trials.archs))
    ]
    best = _ranked(rows)
    metric = next(iter(trials.costs), None)
    known = artifact.header.summary.get("front")
    front = known if known is not None else front_of(rows, metric) if metric else []
    return {"trials": rows, "best": best[:BEST], "front": front, "best_so_far": list(_so_far(rows))}


def front_of(rows: Sequence[Mapping[str, Any]], metric: str) -> list[int]:
    """Rows that no other beats in both accuracy and a metric's cost, from the cheapest."""
    front: list[int] = []
    for i in _ranked(rows):  # from the most accurate down, each that is cheaper than all before it
        if not front or rows[i]["costs"][metric] < rows[front[-1]]["costs"][metric]:
            front.append(i)
    return front[::-1]


def _ranked(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """The rows that have a score, by accuracy, then loss."""
    scored = [i for i, row in enumerate(rows) if row["accuracy"] is not None and row["accuracy"] == row["accuracy"]]
    return sorted(scored, key=lambda i: (-rows[i]["accuracy"], rows[i]["loss"]))


def _so_far(rows: list[dict[str, Any]]) -> Iterator[float | None]:
    best: float | None = None
    for row in rows:
        if row["accuracy"] == row["accuracy"]:
            best = row["accuracy"] if best is None else max(best, row["accuracy"])
        yield best


def tables(facts: Mapping[str, Any]) -> Iterator[View]:
    """How the best grew, the best, the front, and what failed."""
    trials = facts["trials"]
    metrics = list(trials[0]["costs"]) if trials else []
    columns = ["trial", "architecture", "accuracy", "loss", *metrics]
    yield "best so far", ["trials", "accuracy", ""], _growth(facts["best_so_far"])
    yield f"best {len(facts['best'])} of {len(trials)} architectures", columns, _rows(trials, facts["best"])
    if facts["front"]:
        told = "front" in facts["summary"]
        yield "front" if told else f"front: accuracy against {metrics[0]}", columns, _rows(trials, facts["front"])
    failed: list[list[object]] = [[i + 1, compact(t["arch"]), t["error"]] for i, t in enumerate(trials) if t["error"]]
    if failed:
        yield f"{len(failed)} failed", ["trial", "architecture", "reason"], failed[:BEST]


def _rows(trials: list[dict[str, Any]], chosen: list[int]) -> list[list[object]]:
    shown = [(i, trials[i]) for i in chosen]
    return [[i + 1, compact(t["arch"]), t["accuracy"], t["loss"], *t["costs"].values()] for i, t in shown]


def _growth(so_far: list[float | None]) -> list[list[object]]:
    """A few evenly spaced points of the curve; bars run from the first accuracy to the last."""
    n = len(so_far)
    points = sorted({max(1, round(n * k / POINTS)) for k in range(1, POINTS + 1)}) if n else []
    known = [value for value in so_far if value is not None]
    span = known[-1] - known[0] if known else 0.0
    rows: list[list[object]] = []
    for point in points:
        value = so_far[point - 1]
        part = 0.0 if value is None else (value - known[0]) / span if span else 1.0
        rows.append([point, value, "#" * round(1 + part * (BAR - 1)) if value is not None else ""])
    return rows
