"""Spaces of a test's own, networks in float64, and costs counted on a network as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode

from nascli.search_space.base import SearchSpace
from nascli.search_space.chain import ChainSpace
from nascli.search_space.macro import Block, Layer, Macro, Stage
from nascli.supernet.base import Supernet

STEM = Stage(Block("stem", "conv", {"kernel": 3}), 3, 4)
POOL = Stage(Block("pool", "global_average"), 6, 6)
HEAD = Stage(Block("classifier", "classifier", {"dropout": 0.5}), 6, 5)
LAYERS = (Layer(4, 4), Layer(4, 6, stride=2), Layer(6, 6))
BLOCKS = (
    Block("skip", "skip"),
    Block("conv", "conv", {"kernel": 1, "activation": "silu"}),
    Block("mobile", "mobile", {"kernel": 3, "expansion": 2, "activation": "hswish", "se": True}),
    Block("thin", "mobile", {"kernel": 5, "expansion": 1, "activation": "relu"}),
)


class Small(ChainSpace):
    """Three layers of four candidates; a test may put its own parts in their place."""

    macro = Macro((STEM,), LAYERS, (POOL, HEAD))
    blocks: tuple[Block, ...] = BLOCKS

    def macro_cfg(self) -> Macro:
        return self.macro

    def micro_cfg(self) -> tuple[Block, ...]:
        return self.blocks


def small(
    *,
    first: Sequence[Stage] = (STEM,),
    layers: Sequence[Layer] = LAYERS,
    last: Sequence[Stage] = (POOL, HEAD),
    blocks: Sequence[Block] = BLOCKS,
    shape: tuple[int, int, int] = (3, 8, 8),
    **options: Any,
) -> Small:
    """A space of these parts, with options of every chain space."""
    space = Small(Small.Config(input_shape=shape, classes=5, **options))
    space.macro, space.blocks = Macro(tuple(first), tuple(layers), tuple(last)), tuple(blocks)
    return space


def trained(space: SearchSpace, seed: int = 0) -> Supernet:
    """A supernet in float64 and evaluation mode, whose BatchNorm statistics are no longer 0 and 1."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        supernet = space.supernet().double().eval()
        for module in supernet.modules():
            if isinstance(module, _BatchNorm):
                for values in (module.running_mean, module.running_var, module.weight.detach(), module.bias.detach()):
                    if values is not None:
                        values.uniform_(0.5, 1.5)
    return supernet


def images(space: SearchSpace, n: int = 2) -> Tensor:
    """Random images in float64."""
    return torch.rand(n, *space.config.input_shape, dtype=torch.float64, generator=torch.Generator().manual_seed(7))


@torch.no_grad()
def decoded_and_path(space: SearchSpace, supernet: Supernet, arch: Sequence[int]) -> tuple[Tensor, Tensor]:
    """What the decoded network with inherited weights gives, and the supernet's path."""
    model = space.model(arch).double().eval()
    model.load_state_dict(space.inherit(supernet.state_dict(), arch))
    x = images(space)
    return model(x), supernet(x, space.space.forward(arch))


def macs_of(model: nn.Module, shape: tuple[int, ...]) -> int:
    """Multiply-accumulates of a whole network, counted by torch; no number is computed."""
    model = model.to("meta").eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, *shape, device="meta"))
    return int(counter.get_total_flops()) // 2


def params_of(model: nn.Module) -> int:
    """Numbers in the parameters of a whole network."""
    return sum(parameter.numel() for parameter in model.parameters())
