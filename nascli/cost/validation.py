"""How well a table predicts whole networks: a correction from some of them, the error on others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nascli.cost.blocks import Blocks, Whole
from nascli.cost.model import Metric
from nascli.cost.rounds import Array, halves, spearman
from nascli.cost.states import StateSpace
from nascli.errors import UsageError
from nascli.space import Archs

DRAWS = 4000
STEEPEST = 6.0
RESAMPLES = 2000
HOPELESS = 1e9
WORKS = 0.05
"""A block works, and counts, when it costs at least this share of the median block."""


def spread(metric: Metric, blocks: Blocks, n: int, rng: np.random.Generator) -> Archs:
    """About `n` distinct architectures (m, d) whose totals of `metric` lie evenly over what can be reached."""
    archs = np.unique(_tilted(metric, blocks, rng), axis=0)
    totals = metric.total(archs)
    left = np.ones(len(archs), dtype=bool)
    chosen = []
    for target in np.linspace(totals.min(), totals.max(), min(n, len(archs))):
        distance = np.where(left, np.abs(totals - target), np.inf)
        chosen.append(int(distance.argmin()))
        left[chosen[-1]] = False
    return np.array(archs[sorted(chosen, key=lambda i: totals[i])])


def _tilted(metric: Metric, blocks: Blocks, rng: np.random.Generator) -> Archs:
    """Draws from all cheap to all expensive candidates; uniform ones where costs span groups."""
    space = blocks.space
    states = StateSpace(space)
    try:
        costs = states.costs(metric)
    except UsageError:
        draws = np.stack([rng.integers(0, size, DRAWS) for size in space.sizes], axis=1)
        return space.canonical(draws)
    tilts = rng.uniform(-STEEPEST, STEEPEST, DRAWS)
    columns = [_drawn(cost, tilts, rng) for cost in costs]
    return space.canonical(states.decode(np.stack(columns, axis=1)))


def _drawn(costs: npt.NDArray[Any], tilts: Array, rng: np.random.Generator) -> Whole:
    scaled = (costs - costs.min()) / (np.ptp(costs) or 1)
    weights = np.exp(tilts[:, None] * scaled[None, :]).cumsum(axis=1)
    return np.asarray((weights <= rng.random((len(tilts), 1)) * weights[:, -1:]).sum(axis=1))


@dataclass(frozen=True)
class Correction:
    """network = scale x sum of its blocks + each x number of blocks that work + fixed."""

    scale: float
    each: float
    fixed: float

    def apply(self, costs: Array) -> Array:
        """The corrected costs of blocks (n,); those that do no work get no share of `each`."""
        return np.asarray(self.scale * costs + self.each * working(costs))


def working(costs: Array) -> npt.NDArray[np.bool_]:
    """Which blocks do anything that can be measured."""
    return costs > WORKS * np.median(costs)


def fitted(costs: Array, blocks: Blocks, counts: Whole, measured: Array) -> Correction:
    """The correction with the smallest relative squared error on some networks; no cost becomes negative.

    Args:
        costs: (n_blocks,) as measured.
        blocks: whose fixed parts are one cost together.
        counts: (m, n_blocks) how often each network has each block.
        measured: (m,) what the networks cost.
    """
    from scipy.optimize import nnls

    both = np.stack([costs, working(costs)], axis=1).astype(float)
    base = both[blocks.base].sum(axis=0)
    rows = np.column_stack([counts @ both - base, np.ones(len(measured))]) / measured[:, None]
    scale, each, whole = nnls(rows, np.ones(len(measured)))[0].tolist()
    return Correction(scale, each, float(whole - scale * base[0] - each * base[1]))


@dataclass(frozen=True, eq=False)
class Networks:
    """Whole networks that were measured beside the blocks.

    Args:
        archs: (m, d), ascending in their expected cost.
        samples: (rounds, m).
        macs: (m,) their multiply-accumulates.
    """

    archs: Archs
    samples: Array
    macs: Array


def held_out(n: int) -> npt.NDArray[np.bool_]:
    """Which of n networks of a table that was corrected judge it, (n,): two of three; the others are fitted."""
    return np.asarray(np.arange(n) % 3 != 1)


def corrected(
    costs: Array, blocks: Blocks, networks: Networks, value: Callable[[Array], Array], rng: np.random.Generator
) -> tuple[Array, float, dict[str, Any]]:
    """Block costs and an addition to the base that fit some networks, and what the others say of them.

    Returns:
        The corrected costs (n_blocks,), what the base gets besides, and the facts for the notes: "correction",
        "held_out" (figures of each predictor on networks that the fit has not seen), "floor" and "ceiling" (of a
        second measurement of the same networks).
    """
    measured = value(networks.samples)
    counts = blocks.counts(networks.archs)
    fit = ~held_out(len(measured))
    sums, numbers = counts @ costs, counts @ working(costs).astype(float)
    found = fitted(costs, blocks, counts[fit], measured[fit])
    macs = line(networks.macs[fit], measured[fit])
    predictions = {
        "table": found.scale * sums + found.each * numbers + found.fixed,
        "uncorrected": sums,
        "macs": macs[0] * networks.macs + macs[1],
        "constant": np.full(len(measured), _constant(measured[fit])),
    }
    figures = {name: judged(p[~fit], measured[~fit], rng) for name, p in predictions.items()}
    again = halves(networks.samples[:, ~fit]) if len(networks.samples) > 1 else None
    facts = {
        "correction": {**vars(found), "networks": int(fit.sum())},
        "held_out": {"networks": int((~fit).sum()), "from": float(measured.min()), "to": float(measured.max())},
        **{f"held_out_{name}": of_it for name, of_it in figures.items()},
        "floor": None if again is None else float(np.mean(np.abs(again[0] - again[1]) / again[1])),
        "ceiling": None if again is None else spearman(*again),
    }
    return found.apply(costs), found.fixed, facts


def line(x: Array, y: Array) -> tuple[float, float]:
    """Slope and offset with the smallest relative squared error."""
    rows = np.stack([x, np.ones_like(x)], axis=1) / y[:, None]
    slope, offset = np.linalg.lstsq(rows, np.ones(len(x)), rcond=None)[0]
    return float(slope), float(offset)


def _constant(y: Array) -> float:
    """The number with the smallest mean relative error: a median, the small ones weighing more."""
    order = np.argsort(y)
    weights = (1 / y[order]).cumsum()
    return float(y[order][np.searchsorted(weights, weights[-1] / 2)])


def judged(predicted: Array, measured: Array, rng: np.random.Generator) -> dict[str, Any]:
    """How far predictions (m,) are off, and their rank correlation with a 95 % interval from resampled networks.

    "mape" and "max" are shares of what was measured.
    """
    errors = np.abs(predicted - measured) / measured
    return {
        "mape": float(errors.mean()),
        "error95": error95(predicted, measured),
        "max": float(errors.max()),
        "spearman": spearman(predicted, measured),
        "spearman_interval": _interval(predicted, measured, rng),
    }


def error95(predicted: Array, measured: Array) -> float:
    """The share of a prediction (m,) by which 95 % of the networks cost more or less at most.

    A prediction of nothing, or less, is off by `HOPELESS`, unless it is right.
    """
    off = np.abs(predicted - measured)
    errors = np.where(off > 0, HOPELESS, 0.0)
    np.divide(off, predicted, out=errors, where=predicted > 0)
    return float(np.quantile(errors, 0.95))


def _interval(predicted: Array, measured: Array, rng: np.random.Generator) -> Sequence[float] | None:
    picks = rng.integers(0, len(measured), size=(RESAMPLES, len(measured)))
    found = [r for r in (spearman(predicted[p], measured[p]) for p in picks) if r is not None]
    return [float(q) for q in np.quantile(found, [0.025, 0.975])] if found else None
