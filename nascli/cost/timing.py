"""Milliseconds of something that is called again and again."""

from __future__ import annotations

from collections.abc import Callable

from nascli.cost.rounds import Sampler

Timed = Callable[[int], float]
"""Runs something n times and gives the milliseconds of all n together."""


def sampling(timed: Timed, warmup: int, warm: bool) -> Sampler:
    """A sampler of one forward, after `warmup` at once; with `warm`, right behind one that is not counted."""
    timed(warmup)

    def sample() -> float:
        if warm:
            timed(1)
        return timed(1)

    return sample
