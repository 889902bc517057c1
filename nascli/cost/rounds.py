"""Interleaved rounds: each samples everything once, in random order, so that the load of a moment meets all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nascli.console import out
from nascli.cost.load import Load, together

Array = npt.NDArray[np.float64]
Sampler = Callable[[], float]
Judged = Callable[[Array], Array]

CHECK_EVERY = 5


@dataclass(frozen=True)
class Rounds:
    """Samples (rounds, n), the seconds that they took, and what else the machine did meanwhile (`Load.facts`)."""

    samples: Array
    seconds: float = 0.0
    load: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, Any]:
        """Plain JSON values for the notes of a metric."""
        return {"seconds": round(self.seconds, 1), "load": dict(self.load)}


class Keeper(Protocol):
    """Where the rounds of an unfinished measurement are kept."""

    def restore(self, metric: str, columns: int) -> Rounds | None:
        """Those of an interrupted measurement, samples (rounds, columns), if there are any."""

    def keep(self, metric: str, rounds: Rounds) -> None:
        """Called after each round with all of them."""


@dataclass(frozen=True)
class Goal:
    """When rounds are enough.

    Args:
        rounds: at least so many.
        reliability: rank correlation of the medians of odd and of even rounds to reach.
        tolerance: their median relative difference to come below.
        budget_s: seconds after which it ends in any case, once `rounds` are done; an interruption does not count.
    """

    rounds: int
    reliability: float
    tolerance: float
    budget_s: float

    def ends(self, samples: Array, spent_s: float) -> bool:
        """Whether no further round is needed."""
        enough = len(samples) >= self.rounds
        return enough and (spent_s >= self.budget_s or (len(samples) % CHECK_EVERY == 0 and self.reached(samples)))

    def reached(self, samples: Array) -> bool:
        """Whether samples (rounds, n) are reliable enough."""
        found = reliability(samples)
        return (found is None or found >= self.reliability) and half_difference(samples) <= self.tolerance


def run_rounds(
    metric: str,
    samplers: Sequence[Sampler],
    judged: Judged,
    goal: Goal,
    keeper: Keeper | None = None,
    threads: int = 1,
) -> Rounds:
    """Sample everything once a round until the goal is reached; an interrupted measurement ends as if it had not been.

    Args:
        metric: what is measured, for people and for the keeper.
        samplers: each gives one sample when it is called.
        judged: from samples (rounds, all) to those (rounds, n) whose reliability the goal is about.
        goal: when to end.
        keeper: remembers the rounds.
        threads: of the samplers.
    """
    kept = keeper.restore(metric, len(samplers)) if keeper else None
    found = before = kept or Rounds(np.empty((0, len(samplers))))
    done = kept is not None and goal.ends(judged(kept.samples), kept.seconds)
    progress = out.progress(f"{metric}: at most", round(goal.budget_s), round(before.seconds))
    load, begun = Load(), time.monotonic()
    with progress as bar:  # in seconds: nobody knows how many rounds
        while not done:
            row, told = _round(samplers, np.random.default_rng(len(found.samples))), round(found.seconds)
            seconds = time.monotonic() - begun
            meanwhile = together(before.load, before.seconds, load.facts(threads), seconds)
            found = Rounds(np.vstack([found.samples, row]), before.seconds + seconds, meanwhile)
            seen = judged(found.samples)
            done = goal.ends(seen, found.seconds)
            bar.advance(_told(seen), round(found.seconds) - told)
            if keeper:
                keeper.keep(metric, found)
    return found


def _round(samplers: Sequence[Sampler], rng: np.random.Generator) -> list[float]:
    row = [0.0] * len(samplers)
    for i in rng.permutation(len(samplers)):
        row[i] = float(samplers[i]())
    return row


def _told(samples: Array) -> str:
    if len(samples) % CHECK_EVERY:
        return ""
    found = reliability(samples)
    return f"{len(samples)} rounds" + ("" if found is None else f", reliability {found:.3f}")


def halves(samples: Array) -> tuple[Array, Array]:
    """The medians (n,) of the odd and of the even rounds."""
    return np.median(samples[::2], axis=0), np.median(samples[1::2], axis=0)


def reliability(samples: Array) -> float | None:
    """Rank correlation of the two halves; None for less than three columns, or where all are equal."""
    return spearman(*halves(samples)) if len(samples) > 1 else None


def half_difference(samples: Array) -> float:
    """Median relative difference of the two halves."""
    if len(samples) < 2:
        return np.inf
    first, second = halves(samples)
    mean = (np.abs(first) + np.abs(second)) / 2
    return float(np.median(np.divide(np.abs(first - second), mean, out=np.zeros_like(mean), where=mean > 0)))


def spearman(first: Array, second: Array) -> float | None:
    """Rank correlation, ties sharing their mean rank."""
    from scipy.stats import rankdata

    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])
