"""Variations of feasible architectures: tries by chance, and the table where none of a bounded number fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nascli.cost.states import States
from nascli.space import Archs

if TYPE_CHECKING:
    from nascli.cost.feasible import FeasibleSet

RETRIES = 50  # tries of a mutation or a crossover
NEIGHBOURS = 1024  # that are looked at
SAMPLES = 8  # that stand in for a mutation when no try was feasible


def mutated(feasible: FeasibleSet, arch: Archs, probability: float, rng: np.random.Generator) -> Archs:
    """See `FeasibleSet.mutate`."""
    parent, sizes = feasible.states.encode(np.atleast_2d(arch))[0], feasible.states.sizes
    free = np.flatnonzero(sizes > 1)
    if not len(free):
        return np.array(feasible.sample(1, rng)[0])
    moves = rng.random((RETRIES, len(sizes))) < probability
    forced = np.flatnonzero(~moves[:, free].any(axis=1))
    moves[forced, rng.choice(free, len(forced))] = True
    steps = rng.integers(1, np.maximum(sizes, 2), size=moves.shape)
    child = _first(feasible, np.where(moves, (parent + steps) % sizes, parent))
    if child is not None:
        return child
    archs = feasible.sample(SAMPLES, rng)
    other = (feasible.states.encode(archs) != parent).any(axis=1)
    return np.array(archs[other.argmax()])


def crossed(feasible: FeasibleSet, a: Archs, b: Archs, rng: np.random.Generator) -> Archs:
    """See `FeasibleSet.crossover`."""
    parents = feasible.states.encode(np.stack([a, b]))
    from_b = rng.random((RETRIES, parents.shape[1])) < 0.5
    tries = np.where(from_b, parents[1], parents[0])
    known = (tries == parents[0]).all(axis=1) | (tries == parents[1]).all(axis=1)
    child = _first(feasible, np.concatenate([tries[~known], rng.permutation(parents)]))
    return np.array(feasible.sample(1, rng)[0]) if child is None else child


def neighbours(feasible: FeasibleSet, arch: Archs, changes: int, rng: np.random.Generator) -> Archs:
    """See `FeasibleSet.neighbours`."""
    here, sizes = feasible.states.encode(np.atleast_2d(arch))[0], feasible.states.sizes
    groups = np.repeat(np.arange(len(sizes)), sizes - 1)
    to = (here[groups] + np.concatenate([np.arange(1, size) for size in sizes])) % sizes[groups]
    moves = rng.permutation(len(groups))[:NEIGHBOURS][:, None]
    if changes == 2:
        pairs = rng.integers(0, max(1, len(groups)), size=(NEIGHBOURS if len(groups) else 0, 2))
        pairs = np.sort(pairs[groups[pairs[:, 0]] != groups[pairs[:, 1]]], axis=1)
        _, first = np.unique(pairs, axis=0, return_index=True)
        moves = pairs[np.sort(first)]
    rows = np.repeat(here[None], len(moves), axis=0)
    for column in moves.T:
        rows[np.arange(len(moves)), groups[column]] = to[column]
    return feasible.states.decode(rows[feasible.fits(rows)])


def _first(feasible: FeasibleSet, states: States) -> Archs | None:
    """The first feasible architecture (d,) of rows of states (n, g)."""
    inside = np.flatnonzero(feasible.fits(states))
    return np.array(feasible.states.decode(states[inside[:1]])[0]) if len(inside) else None
