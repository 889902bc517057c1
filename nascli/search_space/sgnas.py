"""The space of SGNAS: layers of several kernels at once, in equal shares of the channels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nascli.cost.blocks import Blocks
from nascli.search_space.chain import renamed
from nascli.search_space.macro import Block, Layer, Macro, Placed
from nascli.search_space.proxylessnas import macro
from nascli.search_space.published import Published
from nascli.space import Decision, Space, Unordered

if TYPE_CHECKING:
    from torch import Tensor, nn

SUB_BLOCKS, AT_LEAST = 6, 2
KERNELS = (3, 5, 7)


class Sgnas(Published):
    """21 layers of 6 sub-blocks, each a depthwise kernel or nothing (SGNAS, Huang and Chu, 2021, arXiv:2103.07289).

    A layer is an inverted residual that expands its channels as many times as it has sub-blocks that are not zero, at
    least twice. The order of its sub-blocks changes nothing: 80 states a layer.
    """

    def macro_cfg(self) -> Macro:
        """That of ProxylessNAS."""
        return macro(self)

    def micro_cfg(self) -> tuple[Block, ...]:
        """What a sub-block can be: three depthwise kernels, or zero, which must be the last one."""
        kernels = (Block(f"k{kernel}", "depthwise", {"kernel": kernel}) for kernel in KERNELS)
        return (*kernels, Block("zero", "zero"))

    def decisions(self, label: str, layer: Layer) -> tuple[Decision, ...]:
        """One decision a sub-block: `layer_00_0` to `layer_00_5`."""
        names = tuple(block.name for block in self.candidates(layer))
        return tuple(Decision(sub_label, names) for sub_label in _sub_labels(label))

    def describe(self) -> Space:
        """As a chain space, with the sub-blocks of each layer in no order."""
        rules = (Unordered(_sub_labels(layer[0].label), len(layer) - 1, AT_LEAST) for layer in self.layers)
        return replace(super().describe(), unordered=tuple(rules))

    def superlayer(self, layer: Sequence[Placed]) -> nn.Module:
        """The unified block of one layer: six choices, and a BatchNorm for each number of zeros that they can have."""
        from nascli.search_space.sgnas_modules import UnifiedBlock
        from nascli.supernet.mutables import LayerChoice

        inner = [replace(placed, out_channels=placed.in_channels) for placed in layer]
        choices = [
            LayerChoice({placed.block.name: self.block(placed) for placed in inner}, label=label)
            for label in _sub_labels(layer[0].label)
        ]
        place = layer[0]
        block = UnifiedBlock(
            place.in_channels,
            place.out_channels,
            choices,
            norms=SUB_BLOCKS - AT_LEAST + 1,
            residual=place.stride == 1 and place.in_channels == place.out_channels,
        )
        self.norm.apply_to(block)
        return block

    def model(self, arch: Sequence[int]) -> nn.Module:
        """A plain chain; each layer is a `mixconv` of the kernels that are chosen in it."""
        return self._plain([_mixed(*layer) for layer in self._chosen(arch)])

    def inherit(self, state: Mapping[str, Tensor], arch: Sequence[int]) -> dict[str, Tensor]:
        """The channels of the sub-blocks that are not zero, grouped by kernel; first and last keep their names."""
        from nascli.search_space.sgnas_modules import regrouped

        result = self._fixed_state(state)
        for n, (layer, indices) in enumerate(self._chosen(arch)):
            block = renamed(state, f"network.layers.{layer[0].label}.", "")
            names = [layer[i].block.name for i in indices if i < len(layer) - 1]
            result |= renamed(regrouped(block, names, SUB_BLOCKS), "", f"layers.{n}.")
        return result

    def _chosen(self, arch: Sequence[int]) -> Iterator[tuple[Sequence[Placed], list[int]]]:
        """The candidates of each layer, and the indices of its sub-blocks, ascending."""
        states = self.space.canonical(np.asarray(arch)).reshape(len(self.layers), SUB_BLOCKS)
        return zip(self.layers, states.tolist(), strict=True)

    def cost_blocks(self, counts_modules: bool = False) -> Blocks:
        """Each distinct layer in each state of its sub-blocks; a part a layer holds them all."""
        rows = zip(self.layers, self.space.groups, strict=True)
        return self._cost_blocks(
            [
                (group.decisions, [_mixed(layer, state) for state in group.states.tolist()], self._states(i))
                for i, (layer, group) in enumerate(rows)
            ]
        )

    def _states(self, i: int) -> list[int]:
        """The state of each joint index of layer `i`; a vector that is not sorted is what its sorted form is."""
        group, rule = self.space.groups[i], self.space.unordered[i]
        shape = tuple(self.space.sizes[j] for j in group.decisions)
        everything = np.indices(shape).reshape(SUB_BLOCKS, -1).T
        known = np.ravel_multi_index(tuple(group.states.T), shape)  # ascending, as the states are
        wanted = np.ravel_multi_index(tuple(rule.canonical(everything).T), shape)
        found: list[int] = np.searchsorted(known, wanted).tolist()
        return found


def _sub_labels(label: str) -> tuple[str, ...]:
    return tuple(f"{label}_{j}" for j in range(SUB_BLOCKS))


def _mixed(layer: Sequence[Placed], indices: Sequence[int]) -> Placed:
    """The block that a layer becomes; `indices` are its sub-blocks', ascending."""
    chosen = [layer[i].block for i in indices if i < len(layer) - 1]
    channels = Counter[int]()
    for block in chosen:
        channels[block.options["kernel"]] += layer[0].in_channels
    options = {"kernels": list(channels), "splits": list(channels.values()), "expansion": len(chosen)}
    return replace(layer[0], block=Block("+".join(block.name for block in chosen), "mixconv", options))
