"""What every meter keeps."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from nascli.cost.meter import Meter
from nascli.testing.randomness import no_global_randomness, seeded

if TYPE_CHECKING:
    from torch import nn

SHAPE = (4, 6, 6)


class MeterContract:
    """Tests to inherit; `make = MyMeter`, or a method that returns a quick one, is all they need."""

    def make(self) -> Meter:
        """A new meter; called several times a test."""
        raise NotImplementedError("set `make` to the class of the meter")

    def blocks(self) -> list[nn.Module]:
        """What it is tried on: modules that keep the shape (4, 6, 6)."""
        return seeded(_blocks)

    def test_it_says_what_it_measures(self) -> None:
        meter = self.make()
        assert meter.metric.isidentifier(), f"'{meter.metric}' cannot stand in a constraint"
        assert meter.unit, "it has no unit"
        assert isinstance(meter.exact, bool), "it does not say whether costs add up exactly"

    def test_a_cost_is_a_finite_number(self) -> None:
        for block in self.blocks():
            cost = self.make().measure(block.eval(), SHAPE)
            assert type(cost) in (int, float), f"a cost is an int or a float of Python, found {type(cost).__name__}"
            assert 0 <= cost < math.inf, f"a block costs {cost}"

    def test_all_blocks_are_measured_in_their_order(self) -> None:
        meter, blocks = self.make(), self.blocks()
        costs = meter.measure_all([(block, SHAPE) for block in blocks])
        assert len(costs) == len(blocks), f"{len(blocks)} blocks, {len(costs)} costs"
        if meter.exact:
            alone = [self.make().measure(block.eval(), SHAPE) for block in blocks]
            assert costs == alone, "a block costs something else among others"

    def test_exact_costs_of_a_chain_add_up(self) -> None:
        from torch import nn

        meter, (first, second, *_) = self.make(), self.blocks()
        if meter.exact:
            parts = [meter.measure(block.eval(), SHAPE) for block in (first, second)]
            whole = meter.measure(nn.Sequential(first, second).eval(), SHAPE)
            assert whole == sum(parts), f"blocks of {parts[0]} and {parts[1]} cost {whole} in a row"

    def test_a_block_is_as_it_was(self) -> None:
        for block in self.blocks():
            before = {name: value.clone() for name, value in block.state_dict().items()}
            with no_global_randomness():
                self.make().measure(block.eval(), SHAPE)
            after = block.state_dict()
            assert all(before[name].equal(after[name]) for name in before), "measuring changes a block"
            assert not any(module._forward_hooks for module in block.modules()), "measuring leaves hooks behind"

    def test_its_notes_are_plain_json(self) -> None:
        meter = self.make()
        meter.measure_all([(block, SHAPE) for block in self.blocks()])
        json.dumps(dict(meter.notes()), allow_nan=False)


def _blocks() -> list[nn.Module]:
    from torch import nn

    conv = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU())
    return [conv, nn.Conv2d(4, 4, 1), nn.Identity()]
