"""The spaces of FBNet, which differ in the width of the head."""

from __future__ import annotations

from nascli.search_space.macro import Block, Macro, Stage, head, mobile
from nascli.search_space.published import Row, Skippable

ROWS: tuple[Row, ...] = (
    (16, 1, 1, 1),
    (24, 4, 1, 2),
    (32, 4, 2, 2),
    (64, 4, 2, 2),
    (112, 4, 1, 1),
    (184, 4, 2, 2),
    (352, 1, 1, 1),
)


class FbnetS(Skippable):
    """22 layers of 9 candidates, a head of 1,504 channels (FBNet, arXiv:1812.03443)."""

    head_width = 1504

    def macro_cfg(self) -> Macro:
        """A stem of 16 channels, seven stages of layers."""
        conv = Block("stem", "conv", {"kernel": 3, "activation": "relu"})
        stem = Stage(conv, self.config.input_shape[0], 16, self.stem_stride)
        last = head(ROWS[-1][0], self.head_width, self.config.classes, activation="relu")
        return Macro((stem,), self.searched(16, ROWS), last)

    def micro_cfg(self) -> tuple[Block, ...]:
        """Inverted residuals of two kernels and three expansions, the smallest also in two groups; and the skip."""
        return (*_residuals(3), *_residuals(5), Block("skip", "skip"))


class FbnetL(FbnetS):
    """22 layers of 9 candidates, a head of 1,984 channels (FBNet, arXiv:1812.03443)."""

    head_width = 1984


def _residuals(kernel: int) -> tuple[Block, ...]:
    """Unlike MobileNetV2's, they have a first 1×1 convolution at expansion 1 too."""
    plain, *wide = (mobile(kernel, expansion, activation="relu", expand=True) for expansion in (1, 3, 6))
    grouped = Block(f"{plain.name}_g2", plain.op, {**plain.options, "groups": 2})
    return (plain, grouped, *wide)
