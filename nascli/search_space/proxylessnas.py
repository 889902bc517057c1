"""The space of ProxylessNAS."""

from __future__ import annotations

from nascli.search_space.macro import Block, Macro, Stage, head, mobile
from nascli.search_space.published import Published, Row, Skippable

ROWS: tuple[Row, ...] = (
    (24, 4, 1, 2),
    (40, 4, 2, 2),
    (80, 4, 2, 2),
    (96, 4, 1, 1),
    (192, 4, 2, 2),
    (320, 1, 1, 1),
)


def macro(space: Published) -> Macro:
    """A stem of 32 channels and a fixed residual of 16, six stages of layers, a head of 1,280."""
    stem = Stage(Block("stem", "conv", {"kernel": 3}), space.config.input_shape[0], 32, space.stem_stride)
    first = Stage(mobile(3, 1), 32, 16)
    return Macro((stem, first), space.searched(16, ROWS), head(ROWS[-1][0], 1280, space.config.classes))


class ProxylessNas(Skippable):
    """21 layers of 7 candidates (ProxylessNAS, arXiv:1812.00332)."""

    def macro_cfg(self) -> Macro:
        """See `macro`."""
        return macro(self)

    def micro_cfg(self) -> tuple[Block, ...]:
        """Inverted residuals of three kernels and two expansions, and the skip."""
        residuals = (mobile(kernel, expansion) for kernel in (3, 5, 7) for expansion in (3, 6))
        return (*residuals, Block("skip", "skip"))
