"""The temperature of a training that turns soft choices into hard ones."""

from __future__ import annotations

from pydantic import Field

from nascli.config import Config


class TemperatureConfig(Config):
    """Falls exponentially over the training, from the first step to the last."""

    start: float = Field(5.0, gt=0, description="at the first step")
    end: float = Field(0.1, gt=0, description="at the last step")

    def at(self, step: int, steps: int) -> float:
        """The temperature of a step, counted from 0; that of the first one where nobody knows the number of steps."""
        share = step / (steps - 1) if steps > 1 else 0.0
        return float(self.start * (self.end / self.start) ** min(share, 1.0))
