"""Search spaces as pure data: the decisions of a space, its architectures and their canonical form.

An architecture is an int64 vector with one index per decision. Different vectors can be one network, so
counts, uniformity and caches are over `Space.canonical` architectures.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from nascli.errors import ArtifactError, UsageError
from nascli.space.decision import MAX_STATES, Archs, Decision, Selection, Unordered
from nascli.space.groups import Group, groups_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class Space:
    """What can be searched, as plain data.

    Args:
        name: for people.
        decisions: in the order of an architecture's indices.
        input_shape: (channels, height, width).
        classes: number of outputs.
        details: whatever else tells this space from another (plain JSON values); it enters the fingerprint.
        unordered: decisions whose order does not matter; they have no conditions.
        tied: labels of decisions that share a cost although neither hangs on the other; they are one group.
    """

    name: str
    decisions: tuple[Decision, ...]
    input_shape: tuple[int, ...]
    classes: int
    details: Mapping[str, Any] = field(default_factory=dict)
    unordered: tuple[Unordered, ...] = ()
    tied: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        if not self.decisions:
            raise UsageError(f"search space '{self.name}' has no decision to search")
        seen: dict[str, Decision] = {}
        for decision in self.decisions:
            self._check(decision, seen)
            seen[decision.label] = decision
        self._check_unordered()
        unknown = [label for labels in self.tied for label in labels if label not in seen]
        if unknown:
            raise UsageError(f"search space '{self.name}': '{unknown[0]}' is tied to others, but is no decision")

    def _check(self, decision: Decision, earlier: Mapping[str, Decision]) -> None:
        where = f"search space '{self.name}': decision '{decision.label}'"
        if decision.label in earlier:
            raise UsageError(f"{where} stands twice")
        if not decision.candidates:
            raise UsageError(f"{where} has no candidates")
        n = len(decision.candidates)
        if len(set(decision.candidates)) < n:
            twice = next(name for name in decision.candidates if decision.candidates.count(name) > 1)
            raise UsageError(
                f"{where} names a candidate twice: '{twice}'", hint="give each candidate a name of its own"
            )
        if decision.n_chosen is not None and not 1 <= decision.n_chosen <= n:
            raise UsageError(f"{where} chooses {decision.n_chosen} of {n} candidates")
        if decision.size > MAX_STATES:
            raise UsageError(f"{where} has {decision.size} subsets, more than {MAX_STATES}")
        for parent, indices in decision.active_if:
            if parent not in earlier or not all(0 <= i < earlier[parent].size for i in indices):
                raise UsageError(f"{where} hangs on '{parent}', which is no earlier decision with those indices")

    def _check_unordered(self) -> None:
        where = f"search space '{self.name}'"
        known = {d.label: d for d in self.decisions}
        named = [label for rule in self.unordered for label in rule.labels]
        wrong = {parent for d in self.decisions for parent, _ in d.active_if} & set(named)
        wrong |= {label for label in named if named.count(label) > 1}
        if wrong:
            raise UsageError(f"{where}: '{min(wrong)}' is unordered, so it stands in one rule and none hangs on it")
        for rule in self.unordered:
            found = [known.get(label) for label in rule.labels]
            alike = {None if d is None or d.active_if or d.n_chosen != 1 else d.candidates for d in found}
            if None in alike or len(alike) != 1:
                raise UsageError(f"{where}: the unordered decisions {', '.join(rule.labels)} are not alike")
            n = len(known[rule.labels[0]].candidates)
            if rule.empty != n - 1:
                raise UsageError(f"{where}: the last candidate of unordered decisions is the empty one")
            if not 0 <= rule.at_least <= (len(rule.labels) if n > 1 else 0):
                raise UsageError(f"{where}: {rule.at_least} of {', '.join(rule.labels)} cannot be taken")

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of indices of each decision."""
        return tuple(decision.size for decision in self.decisions)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {decision.label: i for i, decision in enumerate(self.decisions)}

    def describe(self) -> dict[str, Any]:
        """The whole space as JSON values; `Space.from_description` reads it back."""
        shape = {"input_shape": list(self.input_shape), "classes": self.classes}
        lists = {
            "decisions": [decision.describe() for decision in self.decisions],
            "unordered": [rule.describe() for rule in self.unordered],
            "tied": [list(labels) for labels in self.tied],
        }
        return {"name": self.name, **shape, **lists, "details": dict(self.details)}

    @classmethod
    def from_description(cls, data: Mapping[str, Any]) -> Space:
        """The space that `describe` described."""
        decisions = tuple(map(Decision.from_description, data["decisions"]))
        unordered = tuple(map(Unordered.from_description, data["unordered"]))
        shape, tied = tuple(data["input_shape"]), tuple(map(tuple, data["tied"]))
        return cls(data["name"], decisions, shape, data["classes"], data["details"], unordered, tied)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of the description: equal spaces, and only those, have equal fingerprints."""
        text = json.dumps(self.describe(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The decisions in independent groups: those that hang on each other lie together, others stand alone."""
        return groups_of(self)

    @cached_property
    def count(self) -> int:
        """Number of canonical architectures."""
        total = 1
        for group in self.groups:
            total *= len(group.states)
        return total

    def canonical(self, archs: Archs) -> Archs:
        """Architectures (n, d) or (d,) in the one form that each network has.

        Every index that changes nothing is 0; unordered decisions are sorted.
        """
        import numpy as np

        result = np.array(archs, dtype=np.int64)
        if any(d.active_if for d in self.decisions):
            result[~self.exists(result)] = 0
        for rule in self.unordered:
            columns = [self._positions[label] for label in rule.labels]
            result[..., columns] = rule.canonical(result[..., columns])
        return result

    def exists(self, archs: Archs) -> npt.NDArray[np.bool_]:
        """Whether each decision exists in each of the architectures (n, d) or (d,); of the same shape."""
        import numpy as np

        known: dict[int, npt.NDArray[np.bool_]] = {}
        return np.stack([self.exists_at(i, archs, known) for i in range(len(self.decisions))], axis=-1)

    def exists_at(
        self, position: int, archs: Archs, known: dict[int, npt.NDArray[np.bool_]] | None = None
    ) -> npt.NDArray[np.bool_]:
        """Whether the decision at one position exists, (n,) or (); `known` keeps the answers about its parents."""
        import numpy as np

        known = {} if known is None else known
        if position not in known:
            conditions = self.decisions[position].active_if
            found = np.full(archs.shape[:-1], not conditions)
            for label, indices in conditions:
                parent = self._positions[label]
                found |= np.isin(archs[..., parent], indices) & self.exists_at(parent, archs, known)
            known[position] = found
        return known[position]

    def forward(self, arch: Sequence[int] | Archs) -> dict[str, Selection]:
        """What a supernet runs for one architecture (d,): the chosen candidates alone, none where nothing is chosen.

        Raises:
            ValueError: another number of indices than there are decisions, or an index that a decision lacks.
        """
        import numpy as np

        vector = np.asarray(arch)
        if vector.shape != (len(self.decisions),):
            raise ValueError(f"expected {len(self.decisions)} indices, found shape {vector.shape}")
        for decision, size, i in zip(self.decisions, self.sizes, vector.tolist(), strict=True):
            if not 0 <= i < size:
                raise ValueError(f"decision '{decision.label}' takes 0 to {size - 1}, found {i}")
        canonical = self.canonical(vector)
        chosen = zip(self.decisions, canonical.tolist(), self.exists(canonical).tolist(), strict=True)
        return {d.label: Selection(d.chosen(i) if exists else ()) for d, i, exists in chosen}

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
        for rule in self.unordered:
            taken = (array[:, [self._positions[label] for label in rule.labels]] != rule.empty).sum(axis=1)
            if (taken < rule.at_least).any():
                what = f"{rule.labels[0]} to {rule.labels[-1]}: {taken.min()} of them are not empty"
                raise ArtifactError(what, why=f"every architecture has at least {rule.at_least}")
        return array

    def names(self, arch: Sequence[int] | Archs) -> Iterator[tuple[str, str]]:
        """(label, chosen candidates) of each decision."""
        return ((d.label, d.name(int(i))) for d, i in zip(self.decisions, arch, strict=True))


def compact(arch: Sequence[int] | Archs) -> str:
    """An architecture in one word: "0,2,1"."""
    return ",".join(str(int(i)) for i in arch)
