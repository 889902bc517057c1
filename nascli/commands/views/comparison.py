"""A comparison: "runs", "standings" (see `nascli.commands.standings`) and "measured" (seconds a run)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from nascli.artifacts.comparison import Comparison
from nascli.commands.views.common import View

PLACES, MOST_PLACES = 4, 9  # behind the point


def facts(artifact: Comparison) -> dict[str, Any]:
    """The values of the comparison."""
    payload = artifact.payload
    return {"runs": list(payload.runs), "standings": list(payload.standings), "measured": payload.measured}


def tables(facts: Mapping[str, Any]) -> Iterator[View]:
    """The standings: means over seeds, the best first."""
    rows, seconds = facts["standings"], facts["measured"].get("seconds", {})
    several = len({row["supernet"] for row in rows}) > 1
    ranked = any(row["rank"] is not None for row in rows)
    columns = ["strategy", *(["supernet"] if several else []), "seeds", "score ± 95 %", "over random ± 95 %"]
    columns += [f"over {facts['runs'][0]['supernet']} ± 95 %"] if several else []
    columns += [*(["rank"] if ranked else []), "evaluations", "seconds"]
    shown: list[list[object]] = []
    for row in rows:
        took = [s for run in facts["runs"] if _same(run, row) and (s := seconds.get(run["run"])) is not None]
        cells: list[object] = [row["strategy"], *([row["supernet"]] if several else []), row["seeds"]]
        cells += [_mean(row["score"], row["interval"]), _mean(row["advantage"], row["advantage_interval"], "+")]
        cells += [_mean(row.get("over_first"), row.get("over_first_interval"), "+")] if several else []
        cells += [*([row["rank"]] if ranked else []), row["evaluations"], sum(took) / len(took) if took else None]
        shown.append(cells)
    yield "standings, means over seeds", columns, shown


def _same(run: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    return bool(run["strategy"] == row["strategy"] and run["supernet"] == row["supernet"])


def _mean(value: float | None, interval: list[float] | None, sign: str = "") -> str:
    """A mean to 4 places, or to as many more as half its interval needs to show a digit that is not zero."""
    if value is None:
        return ""
    half = (interval[1] - interval[0]) / 2 if interval else 0.0
    places = max(PLACES, min(MOST_PLACES, -math.floor(math.log10(half)))) if half > 0 else PLACES
    return f"{value:{sign}.{places}f}" + (f" ± {half:.{places}f}" if interval else "")
