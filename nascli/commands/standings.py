"""What the runs of a comparison say: means over seeds with intervals, and paired differences to random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

BASELINE = "random"


def standings(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each strategy and supernet, the best mean first.

    Args:
        runs: "strategy", "supernet", "seed", "score", "evaluations" and, where a truth is known, "rank".

    Returns:
        "strategy", "supernet", "seeds", "score", "interval", "advantage" over random with the same seed and supernet,
        "advantage_interval", "evaluations" and "rank" (means). Intervals are None for one seed, and an advantage is
        None for random itself.
    """
    groups: dict[tuple[str, str], dict[int, Mapping[str, Any]]] = {}
    for run in runs:
        groups.setdefault((run["strategy"], run["supernet"]), {})[run["seed"]] = run
    rows = [_row(key, group, groups.get((BASELINE, key[1]), {})) for key, group in groups.items()]
    return sorted(rows, key=lambda row: -row["score"])


def _row(
    key: tuple[str, str], group: Mapping[int, Mapping[str, Any]], baseline: Mapping[int, Mapping[str, Any]]
) -> dict[str, Any]:
    scores = [run["score"] for run in group.values()]
    paired = [group[seed]["score"] - baseline[seed]["score"] for seed in group if seed in baseline]
    ranks = [run["rank"] for run in group.values() if run.get("rank") is not None]
    score, interval = mean_interval(scores)
    row = {"strategy": key[0], "supernet": key[1], "seeds": len(scores), "score": score, "interval": interval}
    advantage: tuple[float | None, list[float] | None] = (None, None)
    if key[0] != BASELINE and paired:
        advantage = mean_interval(paired)
    row |= {"advantage": advantage[0], "advantage_interval": advantage[1]}
    row["evaluations"] = mean_interval([run["evaluations"] for run in group.values()])[0]
    return row | {"rank": mean_interval(ranks)[0] if ranks else None}


def mean_interval(values: Sequence[float]) -> tuple[float, list[float] | None]:
    """The mean and its 95 % interval by Student's t; no interval of one value."""
    import numpy as np
    from scipy.stats import t

    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, None
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5)
    return mean, [mean - half, mean + half]
