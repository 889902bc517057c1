"""Racing: architectures that are almost surely not among the best are judged on a part of the images alone.

Naive halving keeps the better half after a share of the images; where a population has converged it then loses the best
in about a third of the cases, since the differences are smaller than their noise. Here an architecture goes on until
enough others are better beyond doubt: the test is paired, image by image, and its risk is shared out over all
comparisons that could go wrong. In a converged population that gives up few architectures, and saves little.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import Field

from nascli.config import Config
from nascli.search_strategy.base import Score

Values = npt.NDArray[np.float64]


class Racing(Config):
    """Judging the worst on fewer validation images; what re-estimates BatchNorm is not saved."""

    risk: float = Field(
        0.0, ge=0, lt=1, description="probability at most that any of the best of a population is given up; 0: off"
    )
    keep: int = Field(10, ge=1, description="how many of a population count as the best")
    rounds: int = Field(8, ge=2, description="parts of the images, after each of which architectures are given up")


def doubt(differences: Values) -> float:
    """The probability at most of differences as good as these, if their mean over all images were 0 or less.

    Images on which both do alike say nothing; on the others, Hoeffding's bound in its sharpest form for values from
    -1 to 1 (Hoeffding, 1963, theorems 1 and 4), which holds for images that are drawn without replacement.

    Args:
        differences: score of one architecture less that of another, image by image, float (n,).
    """
    unlike = differences[differences != 0]
    share = (1 + unlike.mean()) / 2 if len(unlike) else 0.0
    if share <= 0.5:
        return 1.0
    rest = (1 - share) * math.log(2 * (1 - share)) if share < 1 else 0.0
    return math.exp(-len(unlike) * (share * math.log(2 * share) + rest))


def given_up(scores: Mapping[int, Values], everyone: int, racing: Racing) -> set[int]:
    """Which of those still in the race are almost surely not among the best.

    One of the best is given up only where `keep` others seem better, at least one of which is not among the best: the
    risk is shared out over all pairs of one of the best and one of the others, and over the rounds.

    Args:
        scores: row → the scores of the images so far, float (n,), of one length; in the same order for all.
        everyone: architectures at the start.
    """
    limit = racing.risk / max(1, racing.keep * (everyone - racing.keep) * (racing.rounds - 1))
    means = {row: values.mean() for row, values in scores.items()}
    found = set()
    for row, values in scores.items():
        above = (other for other in scores if means[other] > means[row])
        better = sum(doubt(scores[other] - values) <= limit for other in above)
        if better >= racing.keep:
            found.add(row)
    return found


@dataclass(frozen=True)
class Seen:
    """Scores and losses of an architecture, image by image."""

    scores: Values
    losses: Values

    @property
    def is_finite(self) -> bool:
        """Whether there is a score."""
        return bool(np.isfinite(self.losses).all())


def estimated(seen: Seen, survivors: Sequence[Seen], keep: int) -> Score:
    """The score of an architecture that was given up, fit to be compared with those of all images.

    The mean over the images that it saw, corrected by how much easier or harder these are for the survivors than all
    are; and worse than the survivors that it was given up for.

    Args:
        survivors: those that saw all images and have a score, at least one.
    """
    n = len(seen.scores)
    accuracy = seen.scores.mean() + np.mean([s.scores.mean() - s.scores[:n].mean() for s in survivors])
    loss = seen.losses.mean() + np.mean([s.losses.mean() - s.losses[:n].mean() for s in survivors])
    best = sorted((float(s.scores.mean()) for s in survivors), reverse=True)
    most = math.nextafter(best[min(keep, len(best)) - 1], -1)
    return Score(max(0.0, min(float(accuracy), most)), float(loss), n)
