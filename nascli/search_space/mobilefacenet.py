"""A space around MobileFaceNet, for faces."""

from __future__ import annotations

from functools import reduce

from pydantic import Field

from nascli.search_space.macro import Block, Layer, Macro, Stage, after, mobile
from nascli.search_space.published import Row, Skippable

ROWS: tuple[Row, ...] = ((64, 5, 2, 2), (128, 7, 2, 2), (128, 3, 2, 2))


class MobileFaceNet(Skippable):
    """15 layers of 7 candidates around MobileFaceNet (arXiv:1804.07573), whose strides OSNASLib keeps."""

    class Config(Skippable.Config):
        """Options of the space."""

        input_shape: tuple[int, int, int] = Field((3, 112, 112), description="channels, height, width of the images")

    config: Config

    def macro_cfg(self) -> Macro:
        """Two convolutions of 64 channels, three stages of layers, a global depthwise convolution, the classifier."""
        first = (
            Stage(_conv("stem", 3), self.config.input_shape[0], 64, self.stem_stride),
            Stage(Block("depthwise", "depthwise", {"kernel": 3, "activation": "prelu"}), 64, 64),
        )
        search = self.searched(64, ROWS)
        return Macro(first, search, self._last((*first, *search)))

    def _last(self, before: tuple[Stage | Layer, ...]) -> tuple[Stage, ...]:
        """The depthwise kernel is as large as the map that reaches it: 7 × 7 for 112 pixels."""
        channels, height, width = reduce(after, before, self.config.input_shape)
        return (
            Stage(_conv("head", 1), channels, 512),
            Stage(Block("global_depthwise", "global_depthwise", {"kernel": (height, width)}), 512, 512),
            Stage(Block("classifier", "classifier"), 512, self.config.classes),
        )

    def micro_cfg(self) -> tuple[Block, ...]:
        """Inverted residuals of two kernels and three expansions, and the skip."""
        residuals = (mobile(k, expansion, activation="prelu") for k in (3, 5) for expansion in (1, 2, 4))
        return (*residuals, Block("skip", "skip"))


def _conv(name: str, kernel: int) -> Block:
    return Block(name, "conv", {"kernel": kernel, "activation": "prelu"})
