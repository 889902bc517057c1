"""Milliseconds of something that is called again and again."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import count

import numpy as np
import numpy.typing as npt

from nascli.cost.rounds import Sampler

Timed = Callable[[int], float]
"""Runs something n times and gives the milliseconds of all n together."""
Maker = Callable[[], Timed]
"""Makes it, in memory of its own where that is possible."""

RENEW_EVERY = 5
FLUSHED_BYTES = 2**26


def flush() -> object:
    """Read more memory than the caches hold, so that nothing else is left in them."""
    return _memory().sum()


@cache
def _memory() -> npt.NDArray[np.int64]:
    return np.ones(FLUSHED_BYTES // 8, dtype=np.int64)


def sampling(
    make: Maker, warmup: int, warm: bool, before: Callable[[], object] | None = None, renew: bool = False
) -> Sampler:
    """A sampler of one forward.

    Args:
        make: makes what times the forward.
        warmup: how many forwards are run outside any sample, as soon as it is made.
        warm: whether one that is not counted runs right before each sample.
        before: called before each sample otherwise.
        renew: make it anew after every fifth sample. What a block costs depends on where its weights and its program
            happen to lie in memory, by some percent where it takes microseconds; the median is then over many places.
    """
    timed, samples = make(), count(1)
    timed(warmup)

    def sample() -> float:
        nonlocal timed
        if warm:
            timed(1)
        elif before is not None:
            before()
        found = timed(1)
        if renew and next(samples) % RENEW_EVERY == 0:
            old, timed = timed, make()  # while the old one is there, so that it lies elsewhere
            if timed is not old:
                timed(warmup)
        return found

    return sample
