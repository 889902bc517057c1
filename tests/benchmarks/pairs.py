"""Interleaved pairs: how many times slower one piece of work is than another, with an interval."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

Work = Callable[[], object]
Clock = Callable[[], float]

LEAST = 30
WIDTH = 0.04
SECONDS = 900.0
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Ratio:
    """The median over pairs of seconds(first) / seconds(second), its 95 % interval, and the median seconds of both."""

    value: float
    low: float
    high: float
    n: int
    first_s: float
    second_s: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}] n={self.n}"


def compare(
    first: Work,
    second: Work,
    *,
    least: int = LEAST,
    width: float = WIDTH,
    seconds: float = SECONDS,
    warmup: int = 2,
    seed: int = 0,
    clock: Clock = time.perf_counter,
) -> Ratio:
    """Time both in turns, in random order within a pair, until the interval is narrow or the time is up.

    Args:
        least: pairs before the interval is looked at; fewer only where `seconds` run out.
        width: half of the interval's width that is narrow enough, relative to the ratio.
        clock: what times the works; `time.process_time` where others use the machine and the works have one thread.
    """
    works, rng = (first, second), np.random.default_rng(seed)
    for _ in range(warmup):
        first()
        second()
    times: list[tuple[float, float]] = []
    end = time.monotonic() + seconds
    while True:
        pair = [0.0, 0.0]
        for which in rng.permutation(2):
            pair[which] = _timed(works[which], clock)
        times.append((pair[0], pair[1]))
        found = ratio(times)
        narrow = found.high - found.low <= 2 * width * found.value
        if (len(times) >= least and narrow) or time.monotonic() > end:
            return found


def ratio(times: list[tuple[float, float]]) -> Ratio:
    """The ratio of pairs of seconds; the interval is that of the median by order statistics, whatever the law."""
    pairs = np.array(times)
    ratios = np.sort(pairs[:, 0] / pairs[:, 1])
    below = int(binom.ppf((1 - CONFIDENCE) / 2, len(ratios), 0.5))
    first_s, second_s = np.median(pairs, axis=0).tolist()
    low, high = ratios[max(0, below - 1)], ratios[min(len(ratios) - 1, len(ratios) - below)]
    return Ratio(float(np.median(ratios)), float(low), float(high), len(ratios), first_s, second_s)


def _timed(work: Work, clock: Clock) -> float:
    start = clock()
    work()
    return clock() - start
