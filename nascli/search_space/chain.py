"""Chain spaces: a fixed first part, layers that choose one block each, a fixed last part."""

from __future__ import annotations

import hashlib
import sys
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from nascli.cost.blocks import Blocks, Cells, CostBlock, Operation, block_id
from nascli.search_space.base import SearchSpace
from nascli.search_space.macro import Block, Layer, Macro, Placed, Shape, Stage, identified, plain, reaching
from nascli.search_space.norm import USUAL, Norm
from nascli.space import Decision, Space

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascli.supernet.base import Supernet

__all__ = ["Block", "ChainSpace", "Layer", "Macro", "Placed", "Stage"]

Part = Literal["first", "search", "last"]


class ChainSpace(SearchSpace):
    """A space written as `macro_cfg` and `micro_cfg`; everything else has a default that is right for chains.

    What stands on them can be overridden part by part: `superlayer(layer)`, `supernet()`, `model(arch)` with
    `inherit`, and `lookup_table(meters)`.
    """

    class Config(SearchSpace.Config):
        """Options of every chain space."""

        bn_momentum: float = Field(0.1, gt=0, le=1, description="share of a batch in BatchNorm's running statistics")
        bn_track_running_stats: bool = Field(
            True, description="whether BatchNorm keeps running statistics; without, it always uses the batch's own"
        )

    config: Config

    @abstractmethod
    def macro_cfg(self) -> Macro:
        """The structure: fixed blocks before and after, channels and strides of the searched layers."""

    @abstractmethod
    def micro_cfg(self) -> tuple[Block, ...]:
        """The candidates, in the order of their index."""

    def candidates(self, layer: Layer) -> tuple[Block, ...]:
        """The candidates of one layer; all of `micro_cfg` unless overridden."""
        return self.micro_cfg()

    def decisions(self, label: str, layer: Layer) -> tuple[Decision, ...]:
        """What is chosen in one layer: one of its candidates, unless overridden."""
        return (Decision(label, tuple(block.name for block in self.candidates(layer))),)

    def where(self, part: Part, index: int, candidate: int | None = None) -> str:
        """The place of a layer, or of one of its candidates, or of a fixed block, for error messages."""
        return _label(index) if part == "search" else f"{part} part"

    @property
    def folder(self) -> Path:
        """Where the files of blocks are looked for: beside the file of this class."""
        file = getattr(sys.modules.get(type(self).__module__), "__file__", None)
        return Path(file).parent if file else Path()

    def describe(self) -> Space:
        """One decision a layer, named `layer_00`, `layer_01`, …

        Raises:
            UsageError: nothing to search, a layer without candidates or with one name twice, or parts that do not
                fit: other channels than reach them, a stride larger than the map.
        """
        layers = (self.decisions(_label(i), layer) for i, layer in enumerate(self._macro.search))
        decisions = tuple(decision for layer in layers for decision in layer)
        space = Space(type(self).__name__, decisions, self.config.input_shape, self.config.classes, self._details())
        _ = self._shapes  # every piece can take what reaches it
        return space

    def _details(self) -> dict[str, Any]:
        macro = self._macro
        first, last = (
            tuple(replace(stage, block=identified(stage.block, self.folder)) for stage in part)
            for part in (macro.first, macro.last)
        )
        details = {"macro": asdict(Macro(first, macro.search, last)), "blocks": self._blocks()}
        # BatchNorm as usual is left out: spaces that were described before there were options keep their fingerprints
        found: dict[str, Any] = plain(details if self.norm == USUAL else details | {"norm": asdict(self.norm)})
        return found

    def _blocks(self) -> list[Any]:
        """The candidates as data: one list for all layers, or one a layer where they differ."""
        common, *layers = (
            [asdict(identified(block, self.folder)) for block in blocks]
            for blocks in (self.micro_cfg(), *map(self.candidates, self._macro.search))
        )
        return common if all(layer == common for layer in layers) else layers

    @property
    def norm(self) -> Norm:
        """How all BatchNorm layers keep their statistics."""
        return Norm(self.config.bn_momentum, self.config.bn_track_running_stats)

    @cached_property
    def _macro(self) -> Macro:
        return self.macro_cfg()

    @property
    def cfg_shape(self) -> tuple[int, int]:
        """Number of searched layers, and of candidates in the layer that has most."""
        return len(self._macro.search), max(len(self.candidates(layer)) for layer in self._macro.search)

    @cached_property
    def _shapes(self) -> dict[Part, list[Shape]]:
        """What reaches each piece of each part; all of them fit."""
        found: dict[Part, list[Shape]] = {}
        shape, macro = self.config.input_shape, self._macro
        pieces: dict[Part, Sequence[Stage | Layer]] = {"first": macro.first, "search": macro.search, "last": macro.last}
        for part, row in pieces.items():
            names = (self._called(part, i, piece) for i, piece in enumerate(row))
            *found[part], shape = reaching(shape, zip(names, row, strict=True))
        return found

    def _called(self, part: Part, index: int, piece: Stage | Layer) -> str:
        where = self.where(part, index)
        return f"{where}: block '{piece.block.name}'" if isinstance(piece, Stage) else where

    @property
    def input_sizes(self) -> list[Shape]:
        """The (C, H, W) that reaches each searched layer."""
        return self._shapes["search"]

    @cached_property
    def first(self) -> tuple[Placed, ...]:
        """The fixed blocks before the search."""
        return tuple(self._fixed("first", self._macro.first))

    @cached_property
    def layers(self) -> tuple[tuple[Placed, ...], ...]:
        """The candidates of each layer, in place."""
        return tuple(tuple(self._searched(i, layer)) for i, layer in enumerate(self._macro.search))

    @cached_property
    def last(self) -> tuple[Placed, ...]:
        """The fixed blocks after the search."""
        return tuple(self._fixed("last", self._macro.last))

    def _searched(self, i: int, layer: Layer) -> Iterator[Placed]:
        for j, block in enumerate(self.candidates(layer)):
            size = (layer.in_channels, layer.out_channels, layer.stride)
            yield Placed(block, *size, self.input_sizes[i], self.where("search", i, j), _label(i))

    def _fixed(self, part: Part, stages: Sequence[Stage]) -> Iterator[Placed]:
        for i, (stage, shape) in enumerate(zip(stages, self._shapes[part], strict=True)):
            size = (stage.in_channels, stage.out_channels, stage.stride)
            yield Placed(stage.block, *size, shape, self.where(part, i))

    def block(self, placed: Placed) -> nn.Module:
        """The module of one block, with fresh weights.

        Raises:
            UsageError: a wrong operation or option, or a block of one's own whose output has not the shape it should.
        """
        from nascli.search_space.blocks.build import build, is_own
        from nascli.search_space.blocks.own import check_output

        module = build(placed, self.norm, self.folder)
        if is_own(placed.block.op) and placed not in self.last[-1:]:
            check_output(placed, module)
        return module

    def _sequence(self, placed: Sequence[Placed]) -> nn.Sequential:
        from torch import nn

        return nn.Sequential(*map(self.block, placed))

    def superlayer(self, layer: Sequence[Placed]) -> nn.Module:
        """The module of one searched layer: all its candidates behind one choice, or anything with choices inside."""
        from nascli.supernet.mutables import LayerChoice

        return LayerChoice({placed.block.name: self.block(placed) for placed in layer}, label=layer[0].label)

    def supernet(self) -> Supernet:
        """All candidates of all layers, sharing weights between architectures."""
        from nascli.supernet.base import Supernet
        from nascli.supernet.chain import Chain

        _ = self.space  # wrong spaces are refused
        layers = {layer[0].label: self.superlayer(layer) for layer in self.layers}
        return Supernet(Chain(self._sequence(self.first), layers, self._sequence(self.last)))

    def model(self, arch: Sequence[int]) -> nn.Module:
        """A plain chain of the chosen blocks: `first`, `layers`, `last`."""
        return self._plain([layer[int(i)] for layer, i in zip(self.layers, arch, strict=True)])

    def _plain(self, layers: Sequence[Placed]) -> nn.Module:
        from torch import nn

        parts = {"first": self.first, "layers": layers, "last": self.last}
        return nn.Sequential(OrderedDict((name, self._sequence(part)) for name, part in parts.items()))

    def inherit(self, state: Mapping[str, Tensor], arch: Sequence[int]) -> dict[str, Tensor]:
        """`network.layers.layer_03.skip.…` becomes `layers.3.…`; first and last keep their names."""
        result = self._fixed_state(state)
        for n, (decision, i) in enumerate(zip(self.space.decisions, arch, strict=True)):
            candidate = f"network.layers.{decision.label}.{decision.candidates[int(i)]}."
            result |= renamed(state, candidate, f"layers.{n}.")
        return result

    def _fixed_state(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return renamed(state, "network.first.", "first.") | renamed(state, "network.last.", "last.")

    def cost_blocks(self, counts_modules: bool = False) -> Blocks:
        """Each distinct (block, input shape) once; a chain's cost is the sum of its blocks' costs."""
        layers = enumerate(self.layers)
        return self._cost_blocks([((i,), layer, range(len(layer))) for i, layer in layers])

    def _cost_blocks(self, layers: Sequence[tuple[tuple[int, ...], Sequence[Placed], Sequence[int]]]) -> Blocks:
        """The blocks of the fixed parts and of layers: decisions, blocks, and the block of each cell of a factor."""
        fixed = (*self.first, *self.last)
        everywhere = [*fixed, *(placed for _, layer, _ in layers for placed in layer)]
        distinct = {_key(placed): placed for placed in everywhere}
        positions = {key: n for n, key in enumerate(distinct)}
        at = [np.array([positions[_key(placed)] for placed in row]) for row in (fixed, *(row for _, row, _ in layers))]
        parts = [
            Cells(decisions, np.arange(len(cells)), where[np.asarray(cells)])
            for (decisions, _, cells), where in zip(layers, at[1:], strict=True)
        ]
        return Blocks(self.space, tuple(map(self._cost_block, distinct.values())), at[0], tuple(parts), chained=True)

    def _cost_block(self, placed: Placed) -> CostBlock:
        block = replace(placed.block, op=identified(placed.block, self.folder).op)
        key = _key(replace(placed, block=block))
        mark = f"{placed.out_channels}_s{placed.stride}_{hashlib.sha256(key.encode()).hexdigest()[:8]}"
        id_ = block_id(placed.block.name, placed.input_shape, mark)
        operation = Operation(block.op, block.options, placed.out_channels, placed.stride)
        return CostBlock(id_, placed.block.name, placed.input_shape, partial(self.block, placed), operation)


def renamed(state: Mapping[str, Tensor], old: str, new: str) -> dict[str, Tensor]:
    """What stands under the name `old` in a `state_dict`, under the name `new`."""
    return {new + name.removeprefix(old): value for name, value in state.items() if name.startswith(old)}


def _label(index: int) -> str:
    return f"layer_{index:02d}"


def _key(placed: Placed) -> str:
    return repr((placed.block, placed.in_channels, placed.out_channels, placed.stride, placed.input_shape))
