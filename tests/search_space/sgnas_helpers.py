"""A space of two unified blocks, what its supernet runs, and how far two outputs are apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nascli.search_space.macro import Layer, Macro, head
from nascli.search_space.sgnas import Sgnas
from nascli.search_space.sgnas_modules import UnifiedBlock
from nascli.space import Forward, Selection, Space

from .helpers import STEM, trained

K3, K5, K7, ZERO = range(4)
SPARSE, FULL = [K3, K5, ZERO, ZERO, ZERO, ZERO], [K3, K3, K5, K5, K7, K7]


class Short(Sgnas):
    """A layer that keeps its shape, and one that does not."""

    def macro_cfg(self) -> Macro:
        return Macro((STEM,), (Layer(4, 4), Layer(4, 6, stride=2)), head(6, 8, self.config.classes))


SPACE = Short(Short.Config(input_shape=(3, 7, 7), classes=5))


def fresh(space: Sgnas = SPACE) -> Any:
    """A trained network, the choices outermost, for tests that change it."""
    return trained(space).network


def unified(network: Any, layer: int = 0) -> UnifiedBlock:
    block = network.layers[f"layer_{layer:02d}"]
    assert isinstance(block, UnifiedBlock)
    return block


def single(space: Sgnas, arch: Sequence[int]) -> Forward:
    """What runs for the indices as they stand, not made canonical."""
    return {d.label: Selection((i,)) for d, i in zip(space.space.decisions, arch, strict=True)}


def weighted(space: Space, weights: Tensor) -> Forward:
    """All candidates of all decisions, with weights (d, 4)."""
    return {d.label: Selection((0, 1, 2, 3), row) for d, row in zip(space.decisions, weights, strict=True)}


def probabilities(space: Space, seed: int = 0) -> Tensor:
    """Weights (d, 4) that sum to 1 and want a gradient."""
    logits = torch.randn(len(space.decisions), 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return logits.softmax(1).requires_grad_()


def far(a: Tensor, b: Tensor) -> float:
    """The largest difference, relative to the largest value."""
    return float(((a - b).abs().max() / b.abs().max()).detach())
