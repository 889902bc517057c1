"""Chain spaces: a fixed first part, layers that choose one block each, a fixed last part."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from nascli.cost.meter import Meter
from nascli.cost.model import CostModel, Factor, Metric
from nascli.errors import UsageError
from nascli.search_space.base import SearchSpace
from nascli.space import Decision, Space

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascli.supernet import Supernet

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Block:
    """One candidate: `op` is a builder in `search_space/blocks.py`, `options` its keyword arguments."""

    name: str
    op: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """A fixed block of the first or the last part."""

    block: Block
    in_channels: int
    out_channels: int
    stride: int = 1


@dataclass(frozen=True)
class Layer:
    """A layer that is searched."""

    in_channels: int
    out_channels: int
    stride: int = 1


@dataclass(frozen=True)
class Macro:
    """The structure around the candidates."""

    first: tuple[Stage, ...]
    search: tuple[Layer, ...]
    last: tuple[Stage, ...]


@dataclass(frozen=True)
class Placed:
    """A block where it stands: its channels, its stride, the (C, H, W) that reaches it; `where` is for people."""

    block: Block
    in_channels: int
    out_channels: int
    stride: int
    input_shape: Shape
    where: str = ""


class ChainSpace(SearchSpace):
    """A space written as `macro_cfg` and `micro_cfg`; everything else has a default that is right for chains."""

    @abstractmethod
    def macro_cfg(self) -> Macro:
        """The structure: fixed blocks before and after, channels and strides of the searched layers."""

    @abstractmethod
    def micro_cfg(self) -> tuple[Block, ...]:
        """The candidates, in the order of their index."""

    def candidates(self, layer: Layer) -> tuple[Block, ...]:
        """The candidates of one layer; all of `micro_cfg` unless overridden."""
        return self.micro_cfg()

    def describe(self) -> Space:
        """One decision a layer, named `layer_00`, `layer_01`, …"""
        decisions = tuple(
            Decision(f"layer_{i:02d}", tuple(block.name for block in self.candidates(layer)))
            for i, layer in enumerate(self._macro.search)
        )
        details = _lists({"macro": asdict(self._macro), "blocks": self._blocks()})
        return Space(type(self).__name__, decisions, self.config.input_shape, self.config.classes, details)

    def _blocks(self) -> list[Any]:
        """The candidates as data: one list for all layers, or one a layer where they differ."""
        common = [asdict(block) for block in self.micro_cfg()]
        layers = [[asdict(block) for block in self.candidates(layer)] for layer in self._macro.search]
        return common if all(layer == common for layer in layers) else layers

    @cached_property
    def _macro(self) -> Macro:
        return self.macro_cfg()

    @cached_property
    def first(self) -> tuple[Placed, ...]:
        """The fixed blocks before the search."""
        return tuple(self._fixed(self._macro.first, self.config.input_shape))

    @cached_property
    def layers(self) -> tuple[tuple[Placed, ...], ...]:
        """The candidates of each layer, in place."""
        shape = _after(self.first, self.config.input_shape)
        result = []
        for i, layer in enumerate(self._macro.search):
            where = f"layer_{i:02d}"
            _check(where, layer.in_channels, layer.stride, shape)
            size = (layer.in_channels, layer.out_channels, layer.stride)
            result.append(tuple(Placed(block, *size, shape, where) for block in self.candidates(layer)))
            shape = _after(result[-1][:1], shape)
        return tuple(result)

    @cached_property
    def last(self) -> tuple[Placed, ...]:
        """The fixed blocks after the search."""
        return tuple(self._fixed(self._macro.last, _after(self.layers[-1][:1], self.config.input_shape)))

    def _fixed(self, stages: Sequence[Stage], shape: Shape) -> Iterator[Placed]:
        for stage in stages:
            _check(stage.block.name, stage.in_channels, stage.stride, shape)
            placed = Placed(stage.block, stage.in_channels, stage.out_channels, stage.stride, shape, "fixed part")
            shape = _after([placed], shape)
            yield placed

    def superlayer(self, layer: Sequence[Placed]) -> nn.Module:
        """The module of one searched layer: all its candidates, called as superlayer(x, selection)."""
        from nascli.search_space.blocks import build
        from nascli.supernet import Superlayer

        return Superlayer([build(placed) for placed in layer])

    def supernet(self) -> Supernet:
        """All candidates of all layers, sharing weights between architectures."""
        from nascli.search_space.blocks import sequence
        from nascli.supernet import ChainSupernet

        labels = [decision.label for decision in self.space.decisions]
        layers = {label: self.superlayer(layer) for label, layer in zip(labels, self.layers, strict=True)}
        return ChainSupernet(sequence(self.first), layers, sequence(self.last))

    def model(self, arch: Sequence[int]) -> nn.Module:
        """A plain chain of the chosen blocks: `first`, `layers`, `last`."""
        from nascli.search_space.blocks import chain

        chosen = [layer[int(i)] for layer, i in zip(self.layers, arch, strict=True)]
        return chain({"first": self.first, "layers": chosen, "last": self.last})

    def inherit(self, state: Mapping[str, Tensor], arch: Sequence[int]) -> dict[str, Tensor]:
        """`layers.layer_03.candidates.2.…` becomes `layers.3.…`; first and last keep their names."""
        names = {
            f"layers.{d.label}.candidates.{int(i)}.": f"layers.{n}." for n, (d, i) in enumerate(self._chosen(arch))
        }
        result = {name: value for name, value in state.items() if not name.startswith("layers.")}
        for old, new in names.items():
            result |= {new + name.removeprefix(old): value for name, value in state.items() if name.startswith(old)}
        return result

    def _chosen(self, arch: Sequence[int]) -> Iterator[tuple[Decision, int]]:
        return zip(self.space.decisions, arch, strict=True)

    def lookup_table(self, meters: Sequence[Meter]) -> CostModel:
        """Each distinct (block, input shape) is measured once; a chain's cost is the sum of its blocks' costs."""
        return CostModel(self.space, {meter.metric: self._metric(meter) for meter in meters})

    def _metric(self, meter: Meter) -> Metric:
        from nascli.search_space.blocks import build

        everywhere = [*self.first, *(placed for layer in self.layers for placed in layer), *self.last]
        distinct = {_key(placed): placed for placed in everywhere}
        measured = meter.measure_all([(build(placed), placed.input_shape) for placed in distinct.values()])
        costs = dict(zip(distinct, measured, strict=True))
        factors = tuple(
            Factor((i,), np.array([costs[_key(placed)] for placed in layer])) for i, layer in enumerate(self.layers)
        )
        base = sum(costs[_key(placed)] for placed in (*self.first, *self.last))
        return Metric(meter.metric, meter.unit, base, factors, meter.exact, notes=meter.notes())


def _key(placed: Placed) -> str:
    return repr((placed.block, placed.in_channels, placed.out_channels, placed.stride, placed.input_shape))


def _after(placed: Sequence[Placed], shape: Shape) -> Shape:
    """The shape behind some blocks: padding keeps the map, strides divide it, rounded up."""
    for block in placed:
        height, width = (-(-size // block.stride) for size in block.input_shape[1:])
        shape = (block.out_channels, height, width)
        if block.block.op == "global_average":
            shape = (block.out_channels, 1, 1)
    return shape


def _check(where: str, in_channels: int, stride: int, shape: Shape) -> None:
    if in_channels != shape[0]:
        raise UsageError(f"{where} expects {in_channels} channels, but {shape[0]} reach it")
    if not 1 <= stride <= min(shape[1:]):
        raise UsageError(f"{where} has stride {stride}, but a map of {shape[1]} × {shape[2]} reaches it")


def _lists(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, tuple | list) else value
