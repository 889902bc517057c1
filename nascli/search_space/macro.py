"""What a chain space is made of, as plain data: blocks, the structure around them, and what reaches each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nascli.component import digest_of, file_of
from nascli.errors import UsageError

Shape = tuple[int, int, int]

GLOBAL = ("global_average", "global_depthwise")
"""Operations that leave one pixel, whatever the size of the map."""


@dataclass(frozen=True)
class Block:
    """A block before it has a place.

    Args:
        name: unique within a layer.
        op: a builder in `blocks/`, or one of your own: "./file.py:function", from the folder of the space's file.
        options: keyword arguments of the builder.
    """

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
    """A block where it stands.

    Args:
        input_shape: the (C, H, W) that reaches it.
        where: its place, for people.
        label: the searched layer that it is a candidate of; "" in the fixed parts.
    """

    block: Block
    in_channels: int
    out_channels: int
    stride: int
    input_shape: Shape
    where: str = ""
    label: str = ""


def mobile(kernel: int, expansion: int, **options: Any) -> Block:
    """An inverted residual, called by its kernel and expansion."""
    return Block(f"mobile_k{kernel}_e{expansion}", "mobile", {"kernel": kernel, "expansion": expansion, **options})


def rows(in_channels: int, described: Iterable[tuple[int, int, int]]) -> tuple[Layer, ...]:
    """Searched layers from rows as papers have them: output channels, number of layers, stride of the first of them."""
    layers = []
    for out_channels, repeat, stride in described:
        for i in range(repeat):
            layers.append(Layer(in_channels, out_channels, 1 if i else stride))
            in_channels = out_channels
    return tuple(layers)


def head(in_channels: int, width: int, classes: int, **options: Any) -> tuple[Stage, ...]:
    """A 1×1 convolution to `width` channels, global average pooling, a linear classifier."""
    return (
        Stage(Block("head", "conv", {"kernel": 1, **options}), in_channels, width),
        Stage(Block("pool", "global_average"), width, width),
        Stage(Block("classifier", "classifier"), width, classes),
    )


def after(shape: Shape, part: Stage | Layer) -> Shape:
    """The (C, H, W) behind a part that `shape` reaches: padding keeps the map, strides divide it, rounded up."""
    if isinstance(part, Stage) and part.block.op in GLOBAL:
        return (part.out_channels, 1, 1)
    height, width = (-(-size // part.stride) for size in shape[1:])
    return (part.out_channels, height, width)


def reaching(shape: Shape, parts: Iterable[tuple[str, Stage | Layer]]) -> list[Shape]:
    """The (C, H, W) that reaches each of some parts in a row, and after them what leaves the last.

    Args:
        shape: what reaches the first.
        parts: each with its name, for error messages.

    Raises:
        UsageError: a part expects other channels, or its stride is larger than the map.
    """
    shapes = [shape]
    for name, part in parts:
        channels, height, width = shapes[-1]
        if part.in_channels != channels:
            hint = f"make it {channels}, or let what stands before it give {part.in_channels}"
            raise UsageError(f"{name} expects {part.in_channels} channels, but {channels} reach it", hint=hint)
        if not 1 <= part.stride <= min(height, width):
            hint = "fewer strides before it, or a larger input_shape"
            raise UsageError(f"{name} has stride {part.stride}, but a map of {height} × {width} reaches it", hint=hint)
        if part.out_channels < 1:
            raise UsageError(f"{name} has {part.out_channels} output channels")
        shapes.append(after(shapes[-1], part))
    return shapes


def identified(block: Block, folder: Path) -> Block:
    """The block with what tells a file's operation from others: its name and digest, not the folder it lies in.

    Raises:
        UsageError: the file is not there.
    """
    file = file_of(block.op, folder)
    if file is None:
        return block
    if not file.exists():
        raise UsageError(f"block '{block.name}': there is no file {file}")
    return replace(block, op=f"{file.name}:{block.op.rpartition(':')[2]} sha256:{digest_of(file)}")


def plain(value: Any) -> Any:
    """JSON values: tuples as lists, mappings as dicts."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple | list) else value
