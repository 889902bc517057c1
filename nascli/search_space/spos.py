"""The space of Single Path One-Shot."""

from __future__ import annotations

from nascli.search_space.macro import Block, Macro, Stage, head
from nascli.search_space.published import Published, Row

ROWS: tuple[Row, ...] = ((64, 4, 1, 2), (160, 4, 2, 2), (320, 8, 2, 2), (640, 4, 2, 2))


class Spos(Published):
    """20 layers of 4 candidates (Single Path One-Shot, arXiv:1904.00420)."""

    def macro_cfg(self) -> Macro:
        """A stem of 16 channels, four stages of layers, a head of 1,024."""
        conv = Block("stem", "conv", {"kernel": 3, "activation": "relu"})
        stem = Stage(conv, self.config.input_shape[0], 16, self.stem_stride)
        last = head(ROWS[-1][0], 1024, self.config.classes, activation="relu")
        return Macro((stem,), self.searched(16, ROWS), last)

    def micro_cfg(self) -> tuple[Block, ...]:
        """Units of ShuffleNetV2 with three kernels, and the one with three depthwise convolutions."""
        units = (Block(f"shuffle_k{kernel}", "shuffle", {"kernel": kernel}) for kernel in (3, 5, 7))
        return (*units, Block("shuffle_x", "shuffle_x"))
