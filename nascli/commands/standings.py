"""What the runs of a comparison say: means over seeds, paired differences to random and to the first supernet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

BASELINE = "random"

Group = Mapping[int, Mapping[str, Any]]
"""Seed → run."""


def standings(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each strategy and supernet, the best mean first.

    Args:
        runs: "strategy", "supernet", "seed", "score", "evaluations" and, where a truth is known, "rank"; those of the
            first supernet come first.

    Returns:
        "strategy", "supernet", "seeds", "score", "interval", "advantage" over random with the same seed and supernet,
        "advantage_interval", "over_first" (over the first supernet with the same seed and strategy),
        "over_first_interval", "evaluations" and "rank" (means). Intervals are None for one seed, an advantage is None
        for random itself, and what is over the first supernet is None for the first.
    """
    groups: dict[tuple[str, str], dict[int, Mapping[str, Any]]] = {}
    for run in runs:
        groups.setdefault((run["strategy"], run["supernet"]), {})[run["seed"]] = run
    rows = [_row(key, groups) for key in groups]
    return sorted(rows, key=lambda row: -row["score"])


def _row(key: tuple[str, str], groups: Mapping[tuple[str, str], Group]) -> dict[str, Any]:
    (strategy, supernet), group, first = key, groups[key], next(iter(groups))[1]
    ranks = [run["rank"] for run in group.values() if run.get("rank") is not None]
    score, interval = mean_interval([run["score"] for run in group.values()])
    row = {"strategy": strategy, "supernet": supernet, "seeds": len(group), "score": score, "interval": interval}
    row["advantage"], row["advantage_interval"] = _paired(group, groups.get((BASELINE, supernet), group))
    row["over_first"], row["over_first_interval"] = _paired(group, groups.get((strategy, first), group))
    row["evaluations"] = mean_interval([run["evaluations"] for run in group.values()])[0]
    return row | {"rank": mean_interval(ranks)[0] if ranks else None}


def _paired(group: Group, other: Group) -> tuple[float | None, list[float] | None]:
    """The mean difference of scores with the same seed, and its interval; None where there is nothing to compare."""
    found = [run["score"] - other[seed]["score"] for seed, run in group.items() if seed in other]
    return mean_interval(found) if found and group is not other else (None, None)


def mean_interval(values: Sequence[float]) -> tuple[float, list[float] | None]:
    """The mean and its 95 % interval by Student's t; no interval of one value."""
    import numpy as np
    from scipy.stats import t

    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, None
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5)
    return mean, [mean - half, mean + half]
