"""The space of NAS-Bench-Macro, whose 6,561 architectures were all trained on CIFAR-10."""

from __future__ import annotations

from nascli.search_space.chain import ChainSpace
from nascli.search_space.macro import Block, Layer, Macro, Stage, head, mobile

WIDTHS = (64, 64, 128, 128, 128, 256, 256, 256)
STRIDES = (2, 1, 2, 1, 1, 2, 1, 1)


class NasBenchMacro(ChainSpace):
    """Eight layers of three candidates (Su et al., CVPR 2021, arXiv:2103.11922)."""

    def macro_cfg(self) -> Macro:
        """A stem of 32 channels, stages of 2, 3 and 3 layers, a head of 1,280."""
        stem = Stage(Block("stem", "conv", {"kernel": 3}), self.config.input_shape[0], 32)
        search = tuple(map(Layer, (32, *WIDTHS[:-1]), WIDTHS, STRIDES))
        return Macro((stem,), search, head(WIDTHS[-1], 1280, self.config.classes))

    def micro_cfg(self) -> tuple[Block, ...]:
        """Identity (1×1 convolution where the shape changes) and two inverted residuals: digits 0, 1 and 2."""
        return (Block("identity", "skip"), mobile(3, 3), mobile(5, 6))
