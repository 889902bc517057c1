"""`peak_memory_mb`: activations that are needed at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from nascli.cost.meter import Meter

if TYPE_CHECKING:
    from torch import nn


class PeakMemory(Meter):
    """Megabytes (1e6 bytes) of activations that are alive at once in a forward, single precision, without weights.

    A network needs as much as its most demanding block: costs are joined by their maximum, not by their sum. That is
    exact for chains; where other parts keep tensors alive meanwhile, whole networks tell the error.
    """

    class Config(Meter.Config):
        """What runs."""

        batch: int = Field(1, ge=1, description="images a forward")

    config: Config
    metric = "peak_memory_mb"
    unit = "MB"
    exact = True
    joins = "max"
    shapes_only = True

    def measure(self, module: nn.Module, shape: tuple[int, ...]) -> float:
        """The peak of one forward of `batch` inputs of `shape` (C, H, W)."""
        from nascli.cost.liveness import peak_bytes

        return peak_bytes(module, shape, self.config.batch) / 1e6

    def notes(self) -> dict[str, object]:
        """The batch, and what the number holds."""
        counted = "1e6 bytes of activations alive at once, in single precision; weights are not counted"
        return {"batch": self.config.batch, "counts": counted}
