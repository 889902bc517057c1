"""What a search strategy learned, from the header alone: "strategy", "numbers" (in all tensors) and "curve".

"curve" has "requested", "generated" and "off" (their difference, in percent of what was requested) of each place;
empty for strategies that turn no cost into architectures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

from nascli.artifacts.strategy_state import StrategyState
from nascli.commands.views.common import View, percent


def facts(artifact: StrategyState) -> dict[str, Any]:
    """Whose state it is, how large, and what it generates."""
    header = artifact.header
    curve = header.summary.get("curve") or {"requested": [], "generated": []}
    rows = [
        {"requested": asked, "generated": got, "off": percent(got - asked, asked)}
        for asked, got in zip(curve["requested"], curve["generated"], strict=True)
    ]
    numbers = sum(prod(entry.shape) for entry in header.manifest if entry.dtype != "json")
    return {"strategy": artifact.strategy, "numbers": numbers, "curve": rows}


def tables(facts: Mapping[str, Any]) -> Iterator[View]:
    """Requested and generated costs, before any repair."""
    if facts["curve"]:
        rows: list[list[object]] = [[row["requested"], row["generated"], row["off"]] for row in facts["curve"]]
        metric = facts["summary"].get("metric", "cost")
        yield f"{metric}, before any repair", ["requested", "generated", "off [%]"], rows
