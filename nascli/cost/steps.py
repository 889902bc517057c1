"""What one group can add to the sums of the groups before it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Offsets = npt.NDArray[np.int64]
Shape = tuple[int, ...]
Ranges = tuple[tuple[int, int], ...]


class Steps:
    """The distinct offsets of one group in lexicographic order, and the states that have them.

    Args:
        of_states: (n_states, a), 0 or more, in bins of each of `a` metrics.

    Attributes:
        offsets: (a, k), the distinct ones.
        times: (k,) how many states have each.
        states: all states, those of the first offset first, ascending within an offset.
        starts: (k,) where those of each offset begin.
        bits: 2**bits is at least the number of states.
    """

    def __init__(self, of_states: Offsets) -> None:
        self.states = np.lexsort(of_states.T[::-1])
        ordered = of_states[self.states]
        is_new = np.append(True, (ordered[1:] != ordered[:-1]).any(axis=1))
        self.starts = np.flatnonzero(is_new)
        self.times = np.diff(self.starts, append=len(ordered))
        self.offsets = np.ascontiguousarray(ordered[self.starts].T)
        self.bits = math.ceil(math.log2(len(ordered)))

    @property
    def single(self) -> bool:
        """Whether no two states share an offset."""
        return len(self.times) == len(self.states)

    def shifts(self) -> list[Shape]:
        """The distinct offsets, as plain numbers."""
        return list(map(tuple, self.offsets.T.tolist()))


def shapes(steps: Sequence[Steps], ends: Ranges) -> list[Shape]:
    """How many sums of each metric matter before each group and after the last: up to what can be reached, and to the
    last of `ends`."""
    reach = np.zeros((len(steps) + 1, len(ends)), dtype=np.int64)
    reach[1:] = np.cumsum([group.offsets.max(axis=1) for group in steps], axis=0)
    return [
        tuple(max(0, min(last, most) + 1) for (_, last), most in zip(ends, row, strict=True)) for row in reach.tolist()
    ]


def region(offset: Shape, shape: Shape) -> tuple[slice, ...]:
    """The part of a level that lies `offset` above the sums of a level of `shape`."""
    return tuple(slice(start, start + size) for start, size in zip(offset, shape, strict=True))
