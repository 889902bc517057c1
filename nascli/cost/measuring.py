"""From the costs of blocks to the metric of a search space."""

from __future__ import annotations

from nascli.cost.blocks import Blocks
from nascli.cost.meter import Meter
from nascli.cost.model import Metric


def measured(meter: Meter, blocks: Blocks) -> Metric:
    """The metric that one meter finds for a space: every distinct block is measured, all in one go."""
    costs = meter.measure_all([(block.build(), block.shape) for block in blocks.blocks])
    base, factors = blocks.assembled(costs)
    exact = meter.exact and not blocks.doubts
    return Metric(meter.metric, meter.unit, base, factors, exact, notes={**meter.notes(), **blocks.doubts})
