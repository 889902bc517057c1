"""The decisions of a space in independent groups: a group's canonical states are the unit of sampling and of cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nascli.errors import UsageError
from nascli.space.decision import MAX_STATES, Archs

if TYPE_CHECKING:
    from nascli.space.space import Space


@dataclass(frozen=True, eq=False)
class Group:
    """Decisions that hang together, and the joint states they can be in.

    `decisions` are their positions; `states` is int64 (n_states, len(decisions)), canonical, without repeats.
    """

    decisions: tuple[int, ...]
    states: Archs


def groups_of(space: Space) -> tuple[Group, ...]:
    """The groups, in the order of their first decisions.

    Raises:
        UsageError: a group has too many joint states.
    """
    together = [(d.label, *(parent for parent, _ in d.active_if)) for d in space.decisions]
    together += [*(rule.labels for rule in space.unordered), *space.tied]
    found = _connected([d.label for d in space.decisions], together)
    return tuple(Group(positions, _states(_part(space, positions))) for positions in found)


def _connected(labels: list[str], together: Iterable[tuple[str, ...]]) -> list[tuple[int, ...]]:
    roots = {label: label for label in labels}

    def root(label: str) -> str:
        while roots[label] != label:
            label = roots[label]
        return label

    for several in together:
        for other in several[1:]:
            roots[root(other)] = root(several[0])
    members: dict[str, list[int]] = {}
    for i, label in enumerate(labels):
        members.setdefault(root(label), []).append(i)
    return [tuple(positions) for positions in members.values()]


def _part(space: Space, positions: tuple[int, ...]) -> Space:
    """The space of one group alone."""
    decisions = tuple(space.decisions[i] for i in positions)
    labels = {d.label for d in decisions}
    rules = tuple(rule for rule in space.unordered if rule.labels[0] in labels)
    return replace(space, decisions=decisions, unordered=rules, tied=())


def _states(part: Space) -> Archs:
    """All canonical architectures of a small space, in lexicographic order."""
    import numpy as np

    positions = {d.label: i for i, d in enumerate(part.decisions)}
    rules = [(rule, [positions[label] for label in rule.labels]) for rule in part.unordered]
    states = np.zeros((1, 0), dtype=np.int64)
    for i, size in enumerate(part.sizes):
        choices = np.where(part.exists_at(i, states), size, 1)
        total = int(choices.sum())
        if total > MAX_STATES:
            labels = ", ".join(d.label for d in part.decisions)
            raise UsageError(f"search space '{part.name}': the joint decisions {labels} have too many states")
        starts = np.repeat(np.cumsum(choices) - choices, choices)
        states = np.column_stack([np.repeat(states, choices, axis=0), np.arange(total) - starts])
        for _, columns in rules:
            made = [column for column in columns if column <= i]
            states = states[(np.diff(states[:, made], axis=1) >= 0).all(axis=1)]
    for rule, columns in rules:
        states = states[(states[:, columns] != rule.empty).sum(axis=1) >= rule.at_least]
    return states
