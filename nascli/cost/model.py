"""The cost model: what an architecture costs, metric by metric, as a base plus one cell of each factor.

A factor is a small table over one decision (chain spaces) or a few (nested or neighbouring choices).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nascli.artifacts.lookup_table import Evidence, Joins
from nascli.component import installed
from nascli.config import closest
from nascli.errors import ArtifactError, UsageError
from nascli.space import Archs, Space

if TYPE_CHECKING:
    from torch import Tensor

Costs = npt.NDArray[Any]

SHOWN = 5
MOST = 2**62  # of a whole total: half of what an int64 holds
ROWS = 4096  # architectures whose indices stay in the cache


@dataclass(frozen=True, eq=False)
class Factor:
    """The costs of what a few decisions choose together.

    Args:
        decisions: positions of the decisions in an architecture.
        values: one axis a decision, over its indices; int64 or float64, in the metric's unit.
    """

    decisions: tuple[int, ...]
    values: Costs

    def cells(self, columns: Archs) -> Costs:
        """What it adds to the totals of architectures, given decision by decision, (d, n)."""
        if len(self.decisions) == 1:
            return np.asarray(self.values.take(columns[self.decisions[0]]))
        return np.asarray(self.values[tuple(columns[i] for i in self.decisions)])


@dataclass(frozen=True, eq=False)
class Metric:
    """One metric of a cost model.

    Args:
        name: "macs", "latency_ms", "latency_ms@pixel3".
        unit: "MAC", "1", "ms".
        base: what every architecture costs: stem, head, and all that is not searched.
        factors: the searched parts.
        exact: whether a total equals what the decoded network costs.
        error: 95 % of held-out networks cost at most this share of the total more or less than the total says; None
            where the metric is exact or nobody measured it.
        notes: conditions of the measurement, plain JSON values.
        evidence: the samples that the costs come from; None where nothing was sampled.
        joins: "max" where a total is the largest of base and cells, not their sum.
    """

    name: str
    unit: str
    base: int | float
    factors: tuple[Factor, ...]
    exact: bool
    error: float | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    evidence: Evidence | None = None
    joins: Joins = "sum"

    @property
    def is_integer(self) -> bool:
        """Whether all totals are whole numbers, kept as int64."""
        whole = isinstance(self.base, int | np.integer)
        return whole and all(factor.values.dtype.kind in "iu" for factor in self.factors)

    def total(self, archs: Archs) -> Costs:
        """Costs (n,) of canonical architectures (n, d): int64 where the metric is whole, else float64.

        The sum runs factor by factor, so a total does not depend on the other rows of a call.
        """
        join = np.add if self.joins == "sum" else np.maximum
        total = np.full(len(archs), self.base, dtype=np.int64 if self.is_integer else np.float64)
        for start in range(0, len(archs), ROWS):
            columns = np.ascontiguousarray(archs[start : start + ROWS].T)
            part = total[start : start + ROWS]
            for factor in self.factors:
                join(part, factor.cells(columns), out=part)
        return total

    def expected(self, probabilities: Sequence[Tensor]) -> Tensor:
        """The expected cost, a scalar tensor that carries gradients, when every decision is drawn by itself.

        Args:
            probabilities: one (size,) tensor a decision, over its indices, which sums to 1. Their dtype and
                device are the result's. One-hot tensors give the total of that architecture.
        """
        import torch

        like = probabilities[0]
        if self.joins == "max":
            return self._expected_maximum(probabilities)
        expected = torch.tensor(float(self.base), dtype=like.dtype, device=like.device)
        for factor in self.factors:
            part = torch.tensor(factor.values, dtype=like.dtype, device=like.device)
            for i in reversed(factor.decisions):
                part = part @ probabilities[i]
            expected = expected + part
        return expected

    def _expected_maximum(self, probabilities: Sequence[Tensor]) -> Tensor:
        """From the chance that all factors stay at or below each level; exact where they share no decision."""
        import torch

        like = probabilities[0]
        cells = [torch.tensor(factor.values, dtype=like.dtype, device=like.device) for factor in self.factors]
        base = torch.tensor([float(self.base)], dtype=like.dtype, device=like.device)
        levels = torch.unique(torch.cat([base, *(cell.flatten() for cell in cells)]).clamp(min=float(base)))
        below = torch.ones_like(levels)
        for factor, cell in zip(self.factors, cells, strict=True):
            part = (cell <= levels.reshape(-1, *[1] * cell.ndim)).to(like.dtype)
            for i in reversed(factor.decisions):
                part = part @ probabilities[i]
            below = below * part
        expected: Tensor = levels[0] + ((levels[1:] - levels[:-1]) * (1 - below[:-1])).sum()
        return expected


@dataclass(frozen=True, eq=False)
class CostModel:
    """The metrics of one search space.

    Raises:
        ArtifactError: a factor that does not fit the space, or a cost that is negative or not finite.
    """

    space: Space
    metrics: Mapping[str, Metric]

    def __post_init__(self) -> None:
        for metric in self.metrics.values():
            _check(metric, self.space)

    def __getitem__(self, name: str) -> Metric:
        """The metric of that name.

        Raises:
            UsageError: the model does not have it.
        """
        if name not in self.metrics:
            raise UsageError(f"no costs for the metric '{name}'" + closest(name, self.metrics), hint=_measured(name))
        return self.metrics[name]

    def total(self, name: str, archs: Archs) -> Costs:
        """Costs (n,) of architectures (n, d), made canonical first."""
        return self[name].total(self.space.canonical(np.atleast_2d(archs)))

    def merged(self, other: CostModel) -> CostModel:
        """The metrics of both, such as what two machines measured of one space.

        Raises:
            UsageError: the other is of another space, or both have a metric of one name.
        """
        if other.space.fingerprint != self.space.fingerprint:
            raise UsageError(f"costs of two search spaces, '{self.space.name}' and '{other.space.name}', do not merge")
        both = ", ".join(sorted(self.metrics.keys() & other.metrics.keys()))
        if both:
            raise UsageError(f"both cost models have the metric {both}", hint="call them apart: latency_ms@pixel3")
        return CostModel(self.space, {**self.metrics, **other.metrics})

    def shares(self, name: str, arch: Archs) -> tuple[int | float, list[int | float]]:
        """The base, and what each decision of an architecture (d,) adds; together they, or the largest, are its total.

        A factor over several decisions counts for the first of them.
        """
        metric, arch = self[name], self.space.canonical(arch)
        shares: list[int | float] = [0] * len(self.space.decisions)
        for factor in metric.factors:
            shares[factor.decisions[0]] += factor.values[tuple(arch[list(factor.decisions)])].item()
        return metric.base, shares


def _check(metric: Metric, space: Space) -> None:
    if not (np.isfinite(metric.base) and metric.base >= 0):
        raise ArtifactError(f"metric '{metric.name}': the base is {metric.base}", why=_RULE)
    for factor in metric.factors:
        _check_shape(metric.name, factor, space)
    covered = {i for factor in metric.factors for i in factor.decisions}
    lacking = [decision.label for i, decision in enumerate(space.decisions) if i not in covered]
    if lacking:
        rest = f", and {len(lacking) - SHOWN} more" if len(lacking) > SHOWN else ""
        what = f"metric '{metric.name}' has no costs of {', '.join(lacking[:SHOWN])}{rest}"
        raise ArtifactError(what, why="a decision without a cost has zeros")
    if metric.is_integer and metric.base + sum(int(factor.values.max(initial=0)) for factor in metric.factors) > MOST:
        raise ArtifactError(f"metric '{metric.name}': totals above 2**62", why="costs that large do not add up exactly")
    bad = [cell for factor in metric.factors for cell in _bad_cells(factor, space)]
    if bad:
        rest = f", and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
        what = f"metric '{metric.name}' has {len(bad)} wrong cost{'s' if len(bad) > 1 else ''}"
        raise ArtifactError(f"{what}: {', '.join(bad[:SHOWN])}{rest}", why=_RULE)


_RULE = "a cost is a finite number, 0 or more"


def _check_shape(name: str, factor: Factor, space: Space) -> None:
    chosen = factor.decisions
    if not chosen or len(set(chosen)) < len(chosen) or not all(0 <= i < len(space.decisions) for i in chosen):
        raise ArtifactError(f"metric '{name}': a factor over the decisions {chosen}, of {len(space.decisions)}")
    labels = ", ".join(space.decisions[i].label for i in chosen)
    sizes = tuple(space.sizes[i] for i in chosen)
    if factor.values.shape != sizes:
        raise ArtifactError(f"metric '{name}': the costs of {labels} have shape {factor.values.shape}, not {sizes}")
    dtype = factor.values.dtype
    if dtype.kind != "f" and not (dtype.kind in "iu" and np.can_cast(dtype, np.int64)):
        raise ArtifactError(f"metric '{name}': the costs of {labels} are {dtype}, not int64 or float64")


def _bad_cells(factor: Factor, space: Space) -> list[str]:
    """The cells that are no cost; beyond the first few, which are shown, only their number matters."""
    places = np.argwhere(~np.isfinite(factor.values) | (factor.values < 0))
    cells = [""] * len(places)
    for row, place in enumerate(islice(places, SHOWN)):
        decisions = [space.decisions[i] for i in factor.decisions]
        names = " ".join(f"{d.label}={d.name(int(i))}" for d, i in zip(decisions, place, strict=True))
        cells[row] = f"{names} is {factor.values[tuple(place)].item()}"
    return cells


def _measured(name: str) -> str:
    """How to get the costs of a metric that is missing."""
    meter, _, device = name.partition("@")
    if device:
        taken = f"nascli import-measurements FILE --metric {meter} --device {device} -o lut.h5"
        return f"what was measured there: {taken}; then --lut lut.h5"
    if meter in installed("meter"):
        wanted = f"nascli build-lut -c CONFIG --set 'meters=[macs, params, {meter}]' -o lut.h5"
        return f"measure it: {wanted}; then --lut lut.h5"
    return "multiply-accumulates are called macs; what can be measured: nascli list meter"
