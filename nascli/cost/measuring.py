"""From the costs of blocks to the metric of a search space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nascli.artifacts.lookup_table import Evidence
from nascli.cost.blocks import Blocks
from nascli.cost.macs import Macs
from nascli.cost.meter import Meter
from nascli.cost.model import Metric
from nascli.cost.sampled_meter import SampledMeter
from nascli.cost.validation import Networks, corrected, error95, spread
from nascli.errors import NascliError

if TYPE_CHECKING:
    from torch import nn


LEAST = 9
"""Fewer whole networks say nothing."""
WHOLE = 20
"""Networks that tell the error of a maximum."""


def measured(meter: Meter, blocks: Blocks, model: Callable[[Sequence[int]], nn.Module]) -> Metric:
    """The metric that one meter finds for a space: every distinct block is measured, all in one go.

    Args:
        meter: one that samples measures whole networks beside the blocks, where it wants some.
        blocks: of the space.
        model: makes the network of an architecture.
    """
    if isinstance(meter, SampledMeter):
        return _sampled(meter, blocks, model)
    metric = _metric(meter, blocks, np.asarray(block_costs(meter, blocks)))
    return metric if meter.joins == "sum" or blocks.chained else _with_error(meter, metric, blocks, model)


def _with_error(meter: Meter, metric: Metric, blocks: Blocks, model: Callable[[Sequence[int]], nn.Module]) -> Metric:
    """A maximum over blocks beside whole networks, where tensors outlive the blocks that need them."""
    rng, space = np.random.default_rng(0), blocks.space
    archs = space.canonical(np.stack([rng.integers(0, size, WHOLE) for size in space.sizes], axis=1))
    found = np.array([meter.measure(model(arch).eval(), space.input_shape) for arch in archs.tolist()])
    notes = {**metric.notes, "inexact": "tensors that other parts keep are not seen", "networks": WHOLE}
    return replace(metric, exact=False, error=error95(metric.total(archs), found), notes=notes)


def block_costs(meter: Meter, blocks: Blocks) -> list[int | float]:
    """What each block costs; without values where shapes are enough, and blocks of one's own bear it."""
    import torch

    if meter.shapes_only:
        try:
            with torch.device("meta"):
                return meter.measure_all(blocks.without_values)
        except (NascliError, RuntimeError, TypeError, ValueError):
            pass  # a block that needs values is measured with them, or fails for a reason of its own
    return meter.measure_all(blocks.built())


def _metric(meter: Meter, blocks: Blocks, costs: Any, **known: Any) -> Metric:
    base, factors = blocks.assembled(costs, meter.joins, known.pop("fixed", 0))
    notes = {**meter.notes(), **blocks.doubts, **known.pop("notes", {})}
    exact = meter.exact and not blocks.doubts
    return Metric(meter.metric, meter.unit, base, factors, exact, notes=notes, joins=meter.joins, **known)


def _sampled(meter: SampledMeter, blocks: Blocks, model: Callable[[Sequence[int]], nn.Module]) -> Metric:
    items = blocks.built()
    macs, rng = _metric(Macs(), blocks, np.asarray(block_costs(Macs(), blocks))), np.random.default_rng(0)
    wanted = meter.config.networks
    archs = spread(macs, blocks, wanted, rng) if wanted else np.empty((0, len(blocks.space.sizes)), dtype=np.int64)
    archs = archs if len(archs) >= LEAST else archs[:0]
    networks = [(model(arch), blocks.space.input_shape) for arch in archs.tolist()]
    samples = meter.sample_all(items, networks).samples
    costs = meter.value(samples[:, : len(items)])
    ids = tuple(block.id for block in blocks.blocks)
    evidence = Evidence(ids, samples[:, : len(items)], archs, samples[:, len(items) :])
    if not len(archs) or not (meter.value(evidence.networks) > 0).all():
        return _metric(meter, blocks, costs, evidence=evidence)
    found = Networks(archs, evidence.networks, macs.total(archs).astype(np.float64))
    costs, fixed, facts = corrected(costs, blocks, found, meter.value, rng)
    error = facts["held_out_table"]["error95"]
    return _metric(meter, blocks, costs, notes=facts, fixed=fixed, error=error, evidence=evidence)
