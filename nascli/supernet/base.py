"""The module that shares weights between architectures: supernet(x, forward)."""

from __future__ import annotations

from contextlib import nullcontext

from torch import Tensor, nn

from nascli.space import Forward
from nascli.supernet.scope import choosing
from nascli.supernet.selected import Selected


class Supernet(nn.Module):
    """A network in which each decision is still open; what runs is an argument of the call.

    Args:
        network: an ordinary module with choices inside.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.recompute = False
        """Whether training keeps no activations of candidates: less memory, a second forward in the backward."""

    def forward(self, x: Tensor, forward: Forward | None = None) -> Tensor:
        """Run `x` (N, C, H, W) through what `forward` selects for each label.

        Without `forward`, the choices run what a mutator's last `reset()` left them with.
        """
        with nullcontext() if forward is None else choosing(Selected(forward, recompute=self.recompute)):
            output: Tensor = self.network(x)
        return output
