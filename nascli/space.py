"""Search spaces as pure data: decisions, architectures, their canonical form, and what a supernet runs.

An architecture is an int64 vector with one index per decision. Different vectors can be one network, so
counts, uniformity and caches are over `Space.canonical` architectures.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, product
from math import comb, prod
from typing import TYPE_CHECKING, Any, TypeAlias

from nascli.errors import ArtifactError, UsageError

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
    """

    active: tuple[int, ...]
    weights: Tensor | None = None


Forward = Mapping[str, Selection]


@dataclass(frozen=True)
class Decision:
    """One choice among named candidates.

    Args:
        label: unique within a space.
        candidates: names, in the order of their index.
        n_chosen: how many candidates are taken; None for any non-empty subset.
        active_if: (label of an earlier decision, its indices for which this decision exists).
    """

    label: str
    candidates: tuple[str, ...]
    n_chosen: int | None = 1
    active_if: tuple[str, tuple[int, ...]] | None = None

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

    @cached_property
    def _subsets(self) -> tuple[tuple[int, ...], ...]:
        n = len(self.candidates)
        sizes = range(1, n + 1) if self.n_chosen is None else (self.n_chosen,)
        return tuple(subset for k in sizes for subset in combinations(range(n), k))

    def name(self, index: int) -> str:
        """The chosen candidates in words."""
        return "+".join(self.candidates[i] for i in self.chosen(index))


@dataclass(frozen=True, eq=False)
class Group:
    """Decisions that hang together, and the joint states they can be in.

    `decisions` are their positions; `states` is int64 (n_states, len(decisions)), canonical, without repeats.
    """

    decisions: tuple[int, ...]
    states: Archs


@dataclass(frozen=True)
class Space:
    """What can be searched, as plain data.

    Args:
        name: for people.
        decisions: in the order of an architecture's indices.
        input_shape: (channels, height, width).
        classes: number of outputs.
        details: whatever else tells this space from another (plain JSON values); it enters the fingerprint.
    """

    name: str
    decisions: tuple[Decision, ...]
    input_shape: tuple[int, ...]
    classes: int
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.decisions:
            raise UsageError(f"search space '{self.name}' has no decision to search")
        seen: dict[str, Decision] = {}
        for decision in self.decisions:
            self._check(decision, seen)
            seen[decision.label] = decision

    def _check(self, decision: Decision, earlier: Mapping[str, Decision]) -> None:
        where = f"search space '{self.name}': decision '{decision.label}'"
        if decision.label in earlier:
            raise UsageError(f"{where} stands twice")
        if not decision.candidates:
            raise UsageError(f"{where} has no candidates")
        n = len(decision.candidates)
        if len(set(decision.candidates)) < n:
            raise UsageError(f"{where} names a candidate twice")
        if decision.n_chosen is not None and not 1 <= decision.n_chosen <= n:
            raise UsageError(f"{where} chooses {decision.n_chosen} of {n} candidates")
        if decision.size > MAX_STATES:
            raise UsageError(f"{where} has {decision.size} subsets, more than {MAX_STATES}")
        if decision.active_if is not None:
            parent, indices = decision.active_if
            if parent not in earlier or not all(0 <= i < earlier[parent].size for i in indices):
                raise UsageError(f"{where} hangs on '{parent}', which is no earlier decision with those indices")

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of indices of each decision."""
        return tuple(decision.size for decision in self.decisions)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {decision.label: i for i, decision in enumerate(self.decisions)}

    def describe(self) -> dict[str, Any]:
        """The whole space as JSON values; `Space.from_description` reads it back."""
        decisions = [
            {
                "label": d.label,
                "candidates": list(d.candidates),
                "n_chosen": d.n_chosen,
                "active_if": None if d.active_if is None else [d.active_if[0], list(d.active_if[1])],
            }
            for d in self.decisions
        ]
        shape = {"input_shape": list(self.input_shape), "classes": self.classes}
        return {"name": self.name, **shape, "decisions": decisions, "details": dict(self.details)}

    @classmethod
    def from_description(cls, data: Mapping[str, Any]) -> Space:
        """The space that `describe` described."""
        decisions = tuple(
            Decision(
                d["label"],
                tuple(d["candidates"]),
                d["n_chosen"],
                None if d["active_if"] is None else (d["active_if"][0], tuple(d["active_if"][1])),
            )
            for d in data["decisions"]
        )
        return cls(data["name"], decisions, tuple(data["input_shape"]), data["classes"], data["details"])

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of the description: equal spaces, and only those, have equal fingerprints."""
        text = json.dumps(self.describe(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The decisions in independent groups: nested decisions lie with their parents, others stand alone."""
        roots: dict[str, str] = {}
        members: dict[str, list[int]] = {}
        for i, d in enumerate(self.decisions):
            roots[d.label] = roots[d.active_if[0]] if d.active_if else d.label
            members.setdefault(roots[d.label], []).append(i)
        return tuple(self._group(tuple(positions)) for positions in members.values())

    def _group(self, positions: tuple[int, ...]) -> Group:
        import numpy as np

        sizes = [self.sizes[i] for i in positions]
        if prod(sizes) > MAX_STATES:
            labels = ", ".join(self.decisions[i].label for i in positions)
            raise UsageError(f"search space '{self.name}': the nested decisions {labels} have too many joint states")
        states = np.zeros((prod(sizes), len(self.decisions)), dtype=np.int64)
        states[:, list(positions)] = list(product(*map(range, sizes)))
        return Group(positions, np.unique(self.canonical(states)[:, list(positions)], axis=0))

    @cached_property
    def count(self) -> int:
        """Number of canonical architectures."""
        total = 1
        for group in self.groups:
            total *= len(group.states)
        return total

    def canonical(self, archs: Archs) -> Archs:
        """Architectures (n, d) or (d,) with every index that changes nothing set to 0."""
        import numpy as np

        result = np.array(archs, dtype=np.int64)
        for i, d in enumerate(self.decisions):
            if d.active_if is not None:
                parent = self._positions[d.active_if[0]]
                exists = np.isin(result[..., parent], d.active_if[1]) & self._exists(parent, result)
                result[..., i] = np.where(exists, result[..., i], 0)
        return result

    def _exists(self, position: int, archs: Archs) -> npt.NDArray[np.bool_]:
        import numpy as np

        active_if = self.decisions[position].active_if
        if active_if is None:
            return np.ones(archs.shape[:-1], dtype=np.bool_)
        parent = self._positions[active_if[0]]
        return np.isin(archs[..., parent], active_if[1]) & self._exists(parent, archs)

    def forward(self, arch: Sequence[int] | Archs) -> dict[str, Selection]:
        """What a supernet runs for one architecture: the chosen candidates alone."""
        return {d.label: Selection(d.chosen(int(i))) for d, i in zip(self.decisions, arch, strict=True)}

    def check(self, archs: npt.ArrayLike) -> Archs:
        """The architectures as int64 (n, d).

        Raises:
            ArtifactError: wrong dtype, shape or index, with the decision and its range named.
        """
        import numpy as np

        array = np.asarray(archs)
        if array.dtype.kind not in "iu":
            raise ArtifactError(f"an architecture holds whole numbers, found dtype {array.dtype}")
        if array.ndim not in (1, 2) or array.shape[-1] != len(self.decisions):
            want = f"{len(self.decisions)} numbers, one for each decision of '{self.name}'"
            raise ArtifactError(f"an architecture has {want}, found shape {array.shape}")
        array = np.atleast_2d(array).astype(np.int64)
        wrong = np.argwhere((array < 0) | (array >= np.array(self.sizes)))
        if len(wrong):
            row, i = (int(v) for v in wrong[0])
            label, size = self.decisions[i].label, self.sizes[i]
            raise ArtifactError(f"decision '{label}' takes 0 to {size - 1}, found {array[row, i]}")
        return array

    def names(self, arch: Sequence[int] | Archs) -> Iterator[tuple[str, str]]:
        """(label, chosen candidates) of each decision."""
        return ((d.label, d.name(int(i))) for d, i in zip(self.decisions, arch, strict=True))


def compact(arch: Sequence[int] | Archs) -> str:
    """An architecture in one word: "0,2,1"."""
    return ",".join(str(int(i)) for i in arch)
