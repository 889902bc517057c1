"""A chain space of one's own: its structure, its candidates, two of its four parts overridden."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import nn
from torch.nn.functional import dropout2d

from nascli.cost.meter import Meter
from nascli.cost.model import CostModel, Factor, Metric
from nascli.search_space.chain import Block, ChainSpace, Layer, Macro, Placed, Stage
from nascli.supernet.mutables import LayerChoice


class DroppingChoice(LayerChoice):
    """A layer choice behind which a tenth of the channels is dropped while the supernet trains."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the chosen candidate gives, thinned."""
        return dropout2d(super().forward(*args, **kwargs), 0.1, self.training)


class GhostSpace(ChainSpace):
    """Four layers that skip, or take an inverted residual or a block from ghost.py."""

    def macro_cfg(self) -> Macro:
        """Two stages; the second halves the map."""
        stem = Stage(Block("stem", "conv", {"kernel": 3}), self.config.input_shape[0], 16)
        layers = (Layer(16, 16), Layer(16, 16), Layer(16, 32, stride=2), Layer(32, 32))
        pool = Stage(Block("pool", "global_average"), 32, 32)
        return Macro((stem,), layers, (pool, Stage(Block("classifier", "classifier"), 32, self.config.classes)))

    def micro_cfg(self) -> tuple[Block, ...]:
        """The candidates of every layer."""
        ghosts = (Block(f"ghost_k{kernel}", "./ghost.py:ghost", {"kernel": kernel}) for kernel in (3, 5))
        return Block("skip", "skip"), Block("mobile", "mobile", {"kernel": 3, "expansion": 4}), *ghosts

    def superlayer(self, layer: Sequence[Placed]) -> nn.Module:
        """Regularised: the supernet, and only it, drops channels behind every choice."""
        return DroppingChoice({placed.block.name: self.block(placed) for placed in layer}, label=layer[0].label)

    def lookup_table(self, meters: Sequence[Meter]) -> CostModel:
        """With a metric of its own: how many layers are not skipped."""
        usual = super().lookup_table(meters)
        factors = tuple(Factor((i,), np.array([0, 1, 1, 1])) for i in range(len(self.layers)))
        return usual.merged(CostModel(self.space, {"depth": Metric("depth", "1", 0, factors, exact=True)}))
