"""Architectures as states of groups: the coordinates in which feasible sets count and draw."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from nascli.cost.model import Costs, Metric
from nascli.errors import UsageError
from nascli.space import Archs, Space

States = npt.NDArray[np.int64]

MOST_CODES = 2**62


class StateSpace:
    """Canonical architectures (n, d) as rows of state indices (n, g), one a group of the space."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self._chain = all(len(group.decisions) == 1 for group in space.groups)

    @cached_property
    def sizes(self) -> States:
        """Number of states of each group, (g,)."""
        return np.array([len(group.states) for group in self.space.groups], dtype=np.int64)

    def decode(self, states: States) -> Archs:
        """The architectures (n, d) of rows of states (n, g)."""
        if self._chain:
            return states
        archs = np.empty((len(states), len(self.space.decisions)), dtype=np.int64)
        for g, group in enumerate(self.space.groups):
            archs[:, list(group.decisions)] = group.states[states[:, g]]
        return archs

    def encode(self, archs: Archs) -> States:
        """The states (n, g) of architectures (n, d), made canonical first."""
        archs = self.space.canonical(archs)
        if self._chain:
            return archs
        return np.stack([self._codes(g, archs) for g in range(len(self.sizes))], axis=1)

    def _codes(self, g: int, archs: Archs) -> States:
        group = self.space.groups[g]
        sizes = tuple(self.space.sizes[i] for i in group.decisions)
        rows = archs[:, list(group.decisions)]
        if prod(sizes) > MOST_CODES:  # one number cannot tell the rows apart
            _, places = np.unique(np.concatenate([group.states, rows]), axis=0, return_inverse=True)
            return np.array(places.reshape(-1)[len(group.states) :])
        known = np.ravel_multi_index(tuple(group.states.T), sizes)  # ascending: the states are sorted
        codes: States = np.searchsorted(known, np.ravel_multi_index(tuple(rows.T), sizes))
        return codes

    def costs(self, metric: Metric) -> list[Costs]:
        """What each state of each group adds to a total, (n_states,) a group, the base left out.

        Raises:
            UsageError: a factor spans two groups.
        """
        group_of = {i: g for g, group in enumerate(self.space.groups) for i in group.decisions}
        dtype = np.int64 if metric.is_integer else np.float64
        join = np.add if metric.joins == "sum" else np.maximum
        costs: list[Costs] = [np.zeros(size, dtype=dtype) for size in self.sizes]
        for factor in metric.factors:
            groups = sorted({group_of[i] for i in factor.decisions})
            if len(groups) > 1:
                labels = ", ".join(self.space.decisions[i].label for i in factor.decisions)
                why = "only decisions of one group can share a cost; a group is a decision and those nested in it"
                raise UsageError(f"metric '{metric.name}' cannot be constrained: a cost depends on {labels}", why=why)
            group = self.space.groups[groups[0]]
            columns = [group.states[:, group.decisions.index(i)] for i in factor.decisions]
            join(costs[groups[0]], factor.values[tuple(columns)], out=costs[groups[0]])
        return costs

    def scores(self, values: Sequence[npt.NDArray[Any]]) -> list[npt.NDArray[np.float64]]:
        """What each state of each group adds to an additive score, (n_states,) a group.

        Args:
            values: (size,) a decision, over its indices; a decision counts in the states in which it exists.

        Raises:
            ValueError: another number of arrays or shape, or a value that is not finite.
        """
        shapes = [np.shape(value) for value in values]
        if shapes != [(size,) for size in self.space.sizes] or not all(np.isfinite(value).all() for value in values):
            raise ValueError(
                f"expected finite scores of shapes {[(size,) for size in self.space.sizes]}, found {shapes}"
            )
        return [self._scores(g, values) for g in range(len(self.sizes))]

    def _scores(self, g: int, values: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.float64]:
        group = self.space.groups[g]
        total = np.zeros(len(group.states))
        if any(self.space.decisions[i].active_if for i in group.decisions):
            archs = np.zeros((len(group.states), len(self.space.decisions)), dtype=np.int64)
            archs[:, list(group.decisions)] = group.states
            known: dict[int, npt.NDArray[np.bool_]] = {}
            exists = [self.space.exists_at(i, archs, known) for i in group.decisions]
        else:
            exists = [np.ones(len(total), dtype=np.bool_)] * len(group.decisions)
        for i, column, here in zip(group.decisions, group.states.T, exists, strict=True):
            total[here] += np.asarray(values[i], dtype=np.float64)[column[here]]
        return total
