"""How the BatchNorm layers of a network keep their statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Norm:
    """Options of every BatchNorm in a network.

    Attributes:
        momentum: the share of each batch in the running statistics, 0 to 1.
        track_running_stats: whether there are any; without them, evaluation too normalises by the batch.
    """

    momentum: float = 0.1
    track_running_stats: bool = True

    def apply_to(self, module: nn.Module) -> None:
        """Make the BatchNorm layers of a new module as if they had been constructed so.

        A layer that its author constructed without running statistics stays without them.
        """
        from torch.nn.modules.batchnorm import _BatchNorm

        for part in module.modules():
            if isinstance(part, _BatchNorm):
                part.momentum = self.momentum
                if not self.track_running_stats:
                    part.track_running_stats = False
                    part.running_mean = part.running_var = part.num_batches_tracked = None


USUAL = Norm()
