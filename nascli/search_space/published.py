"""Options of the spaces of papers: their strides, and where skipping a layer is a candidate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from nascli.search_space.chain import ChainSpace
from nascli.search_space.macro import Block, Layer, rows

Row = tuple[int, int, int, int]
"""Output channels, number of layers, stride of the first of them: as OSNASLib ships it, and in the paper."""


class Published(ChainSpace):
    """A space of a paper, for images of several sizes."""

    class Config(ChainSpace.Config):
        """Options of the published spaces."""

        strides: Literal["shipped", "cifar", "imagenet"] = Field(
            "shipped",
            description="shipped: as in OSNASLib; cifar: that with a first convolution of stride 1, for 32 pixels; "
            "imagenet: as in the paper, for 224 pixels",
        )

    config: Config

    @property
    def stem_stride(self) -> int:
        """The stride of the first convolution."""
        return 1 if self.config.strides == "cifar" else 2

    def searched(self, in_channels: int, table: Iterable[Row]) -> tuple[Layer, ...]:
        """The searched layers of a table, with the strides that are asked for."""
        paper = self.config.strides == "imagenet"
        return rows(in_channels, [(channels, n, theirs if paper else ours) for channels, n, ours, theirs in table])


class Skippable(Published):
    """A published space whose last candidate is to skip the layer."""

    class Config(Published.Config):
        """Options of published spaces with a skip."""

        skip: Literal["project", "identity_only"] = Field(
            "project",
            description="skips where the shape changes: 1×1 convolution or mean pooling; or identity_only: none there",
        )

    config: Config

    def candidates(self, layer: Layer) -> tuple[Block, ...]:
        """All of `micro_cfg`, without the skip where it could not be the identity and nothing else is wanted."""
        blocks = self.micro_cfg()
        keeps = layer.stride == 1 and layer.in_channels == layer.out_channels
        return blocks if keeps or self.config.skip == "project" else tuple(b for b in blocks if b.op != "skip")
