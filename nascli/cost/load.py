"""What else ran on the machine during a measurement."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

STAT = Path("/proc/stat")
BUSY = 0.25
"""Cores of other processes from which a measurement is called disturbed."""
WAITING = 0.15
"""Share of the time without a core from which it is called disturbed."""


class Load:
    """Watches the processors from its creation on.

    `others`: cores that other processes kept busy on average, None where the system does not tell.
    `waiting`: share of the time in which this process wanted to run and did not; for one thread.
    """

    def __init__(self) -> None:
        self._wall, self._own, self._all = time.perf_counter(), _own_s(), _busy_s()

    def facts(self, threads: int = 1) -> dict[str, float | None]:
        """Both numbers so far, rounded."""
        wall = max(time.perf_counter() - self._wall, 1e-9)
        own, busy = _own_s() - self._own, _busy_s()
        others = None if busy is None or self._all is None else max(0.0, (busy - self._all - own) / wall)
        waiting = max(0.0, 1 - own / wall) if threads == 1 else None
        return {name: None if x is None else round(x, 3) for name, x in (("others", others), ("waiting", waiting))}


def together(
    first: Mapping[str, float | None], first_s: float, second: Mapping[str, float | None], second_s: float
) -> dict[str, float | None]:
    """`Load.facts` of two stretches of so many seconds as those of one; the first may be none, {}."""
    if not first:
        return dict(second)
    share = first_s / (first_s + second_s)
    both = {name: (first[name], x) for name, x in second.items()}
    return {
        name: None if a is None or b is None else round(share * a + (1 - share) * b, 3) for name, (a, b) in both.items()
    }


def disturbed(others: float | None, waiting: float | None) -> bool:
    """Whether a measurement may be wrong because of what ran beside it."""
    return (others or 0) > BUSY or (waiting or 0) > WAITING


def _own_s() -> float:
    times = os.times()
    return times.user + times.system


def _busy_s() -> float | None:
    """Seconds that all processors together spent at work, time stolen by a hypervisor included."""
    try:
        first = STAT.read_text().splitlines()[0].split()
    except (OSError, IndexError):
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal, *_ = map(int, first[1:])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
