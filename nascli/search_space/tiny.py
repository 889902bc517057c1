"""A small space for small images: the quickstart's."""

from __future__ import annotations

from pydantic import Field

from nascli.search_space.chain import ChainSpace
from nascli.search_space.macro import Block, Layer, Macro, Stage, mobile


class Tiny(ChainSpace):
    """Six layers of five candidates (15,625 architectures) for images of 8 to 32 pixels."""

    class Config(ChainSpace.Config):
        """Options of the tiny space."""

        input_shape: tuple[int, int, int] = Field((1, 8, 8), description="channels, height, width of the images")
        width: int = Field(16, ge=4, description="channels of the first stage; each later stage has twice as many")

    config: Config

    def macro_cfg(self) -> Macro:
        """Three stages of two layers; the second and the third halve the map and double the channels."""
        width, channels = self.config.width, self.config.input_shape[0]
        stem = Stage(Block("stem", "conv", {"kernel": 3}), channels, width)
        search = (
            Layer(width, width),
            Layer(width, width),
            Layer(width, 2 * width, stride=2),
            Layer(2 * width, 2 * width),
            Layer(2 * width, 4 * width, stride=2),
            Layer(4 * width, 4 * width),
        )
        pool = Stage(Block("pool", "global_average"), 4 * width, 4 * width)
        head = Stage(Block("classifier", "classifier"), 4 * width, self.config.classes)
        return Macro((stem,), search, (pool, head))

    def micro_cfg(self) -> tuple[Block, ...]:
        """The identity, and inverted residuals of two kernels and two expansions."""
        residuals = (mobile(kernel, expansion) for kernel in (3, 5) for expansion in (2, 4))
        return (Block("skip", "skip"), *residuals)
