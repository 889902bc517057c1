"""The space of NAS-Bench-Macro, whose 6,561 architectures were all trained on CIFAR-10."""

from __future__ import annotations

from nascli.search_space.chain import Block, ChainSpace, Layer, Macro, Stage

WIDTHS = (64, 64, 128, 128, 128, 256, 256, 256)
STRIDES = (2, 1, 2, 1, 1, 2, 1, 1)


class NasBenchMacro(ChainSpace):
    """Eight layers of three candidates (Su et al., CVPR 2021, arXiv:2103.11922)."""

    def macro_cfg(self) -> Macro:
        """A stem of 32 channels, stages of 2, 3 and 3 layers, a head of 1,280."""
        stem = Stage(Block("stem", "conv", {"kernel": 3}), self.config.input_shape[0], 32)
        search = tuple(map(Layer, (32, *WIDTHS[:-1]), WIDTHS, STRIDES))
        head = Stage(Block("head", "conv", {"kernel": 1}), WIDTHS[-1], 1280)
        pool = Stage(Block("pool", "global_average"), 1280, 1280)
        return Macro((stem,), search, (head, pool, Stage(Block("classifier", "classifier"), 1280, self.config.classes)))

    def micro_cfg(self) -> tuple[Block, ...]:
        """Identity (1×1 convolution where the shape changes) and two inverted residuals: digits 0, 1 and 2."""
        return (
            Block("identity", "skip"),
            Block("mobile_k3_e3", "mobile", {"kernel": 3, "expansion": 3}),
            Block("mobile_k5_e6", "mobile", {"kernel": 5, "expansion": 6}),
        )
