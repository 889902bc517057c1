"""Milliseconds of something that is called again and again."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

from nascli.cost.rounds import Sampler

Timed = Callable[[int], float]
"""Runs something n times and gives the milliseconds of all n together."""


FLUSHED_BYTES = 2**26


def flush() -> object:
    """Read more memory than the caches hold, so that nothing else is left in them."""
    return _memory().sum()


@cache
def _memory() -> npt.NDArray[np.int64]:
    return np.ones(FLUSHED_BYTES // 8, dtype=np.int64)


def sampling(timed: Timed, warmup: int, warm: bool, before: Callable[[], object] | None = None) -> Sampler:
    """A sampler of one forward, after `warmup` at once.

    Args:
        timed: the forward.
        warmup: how many are run now.
        warm: whether one that is not counted runs right before each sample.
        before: called before each sample otherwise.
    """
    timed(warmup)

    def sample() -> float:
        if warm:
            timed(1)
        elif before is not None:
            before()
        return timed(1)

    return sample
