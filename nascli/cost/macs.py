"""`macs`: multiply-accumulates of convolutions and linear layers. The one file that knows fvcore."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any

from nascli.cost.meter import Meter

if TYPE_CHECKING:
    from torch import nn

# fvcore counts one multiply-accumulate as one "flop", and adds BatchNorm, pooling and more, which are no MACs.
OPERATORS = ("conv", "linear")


class Macs(Meter):
    """Multiply-accumulates of convolutions and linear layers, nothing else, batch 1."""

    metric = "macs"
    unit = "MAC"
    exact = True

    def measure(self, module: nn.Module, shape: tuple[int, ...]) -> int:
        """The multiply-accumulates of one input of `shape` (C, H, W)."""
        import torch

        with warnings.catch_warnings():
            # fvcore's import compiles a function with torch.jit, which torch has deprecated
            warnings.filterwarnings("ignore", message=r".*torch\.jit.*deprecated.*")
            from fvcore.nn import FlopCountAnalysis

        from nascli.cost.executed import Executed

        like = next(module.parameters(), torch.empty(0))
        with torch.no_grad():
            analysis = FlopCountAnalysis(Executed(module), like.new_zeros((1, *shape)))
            analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
            analysis.set_op_handle("aten::_convolution_mode", _named_padding)
            counts = analysis.by_operator()
        return sum(int(counts.get(operator, 0)) for operator in OPERATORS)


def _named_padding(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """A convolution with `padding="same"` or "valid", an operator of its own that fvcore would count as nothing."""
    from fvcore.nn.jit_handles import conv_flop_count, get_shape

    return Counter({"conv": conv_flop_count(*map(get_shape, (*inputs[:2], outputs[0])))})
