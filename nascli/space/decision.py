"""One decision of a search space, what a supernet runs for it, and decisions whose order does not matter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor

Archs: TypeAlias = "npt.NDArray[np.int64]"

MAX_STATES = 2**20


@dataclass(frozen=True)
class Selection:
    """One decision in one forward: the candidates that run, and their weights.

    `weights` has shape (len(active),) and may carry a gradient; None leaves it to the choice's own reduction.
    No candidate is active where the decision does not exist in the architecture: the choice then gives None.
    `probed` are those of `active` whose weight is 0: they run so that their weight gets a gradient, and a layer choice
    passes none on to what lies behind them, where it would be 0.
    """

    active: tuple[int, ...]
    weights: Tensor | None = None
    probed: tuple[int, ...] = ()


Forward = Mapping[str, Selection]

Condition = tuple[str, tuple[int, ...]]
"""(label of an earlier decision, its indices for which the condition holds)"""


@dataclass(frozen=True)
class Decision:
    """One choice among named candidates.

    Args:
        label: unique within a space.
        candidates: names, in the order of their index.
        n_chosen: how many candidates are taken; None for any non-empty subset.
        active_if: the decision exists where any of these conditions holds; always, without one.
        nested: each candidate contains the one before it (depth, width), so that the last is the largest.
    """

    label: str
    candidates: tuple[str, ...]
    n_chosen: int | None = 1
    active_if: tuple[Condition, ...] = ()
    nested: bool = False

    @cached_property
    def size(self) -> int:
        """Number of indices: how many subsets of the candidates may be chosen."""
        n = len(self.candidates)
        return 2**n - 1 if self.n_chosen is None else comb(n, self.n_chosen)

    def chosen(self, index: int) -> tuple[int, ...]:
        """The candidates that index `index` stands for: subsets by size, then lexicographic."""
        if self.n_chosen == 1:
            return (index,)
        return self._subsets[index]

    def index(self, chosen: tuple[int, ...]) -> int:
        """The index of a subset of the candidates, given in ascending order.

        Raises:
            ValueError: the decision has no such subset.
        """
        if self.n_chosen == 1 and len(chosen) == 1 and 0 <= chosen[0] < len(self.candidates):
            return chosen[0]
        return self._subsets.index(chosen)

    def indices_with(self, candidate: int) -> tuple[int, ...]:
        """The indices whose subset contains a candidate."""
        return tuple(i for i in range(self.size) if candidate in self.chosen(i))

    @cached_property
    def _subsets(self) -> tuple[tuple[int, ...], ...]:
        n = len(self.candidates)
        sizes = range(1, n + 1) if self.n_chosen is None else (self.n_chosen,)
        return tuple(subset for k in sizes for subset in combinations(range(n), k))

    def name(self, index: int) -> str:
        """The chosen candidates in words."""
        return "+".join(self.candidates[i] for i in self.chosen(index))

    def describe(self) -> dict[str, Any]:
        """The decision as JSON values; `from_description` reads it back."""
        return {
            "label": self.label,
            "candidates": list(self.candidates),
            "n_chosen": self.n_chosen,
            "active_if": [[label, list(indices)] for label, indices in self.active_if],
            "nested": self.nested,
        }

    @classmethod
    def from_description(cls, data: Mapping[str, Any]) -> Decision:
        """The decision that `describe` described."""
        conditions = tuple((label, tuple(indices)) for label, indices in data["active_if"])
        return cls(data["label"], tuple(data["candidates"]), data["n_chosen"], conditions, data["nested"])


@dataclass(frozen=True)
class Unordered:
    """Decisions on equal candidates whose order changes nothing: an architecture has them ascending.

    Args:
        labels: the decisions.
        empty: the index that leaves a place empty, the largest one.
        at_least: how many places are not empty in every architecture.
    """

    labels: tuple[str, ...]
    empty: int
    at_least: int = 0

    def canonical(self, indices: Archs) -> Archs:
        """Indices (n, len(labels)), sorted; where too few places are taken, index 0 takes them."""
        import numpy as np

        filled = np.sort(indices, axis=-1)
        short = filled[..., : self.at_least]
        short[short == self.empty] = 0
        return np.sort(filled, axis=-1)

    def describe(self) -> dict[str, Any]:
        """The rule as JSON values."""
        return {"labels": list(self.labels), "empty": self.empty, "at_least": self.at_least}

    @classmethod
    def from_description(cls, data: Mapping[str, Any]) -> Unordered:
        """The rule that `describe` described."""
        return cls(tuple(data["labels"]), data["empty"], data["at_least"])
