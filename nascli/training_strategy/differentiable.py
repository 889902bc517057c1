"""Differentiable training: weights and architecture parameters in turns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.space import Forward, Space
from nascli.supernet.temperature import TemperatureConfig
from nascli.training_strategy.base import Pass, TrainingStrategy, Update, Updates
from nascli.training_strategy.hardware import HardwareConfig, penalty_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.nn import Parameter


class Differentiable(TrainingStrategy):
    """An architecture step on the `arch` split, then a weight step on `train`, as in DARTS.

    The sampled forms run one path (`gdas`) or two (`proxyless`) in an architecture step, and one freshly drawn path
    in a weight step; the mixtures (`softmax`, `gumbel_softmax`, `sum`) run all candidates in both. `proxyless` is the
    default: where BatchNorm follows, the scale of an output changes nothing, which leaves one path alone little to
    learn from, and two paths follow the gradient of the expected loss. The papers stand in `supernet/mixtures.py`.
    """

    class Config(TrainingStrategy.Config):
        """Options of differentiable training."""

        mixture: Literal["softmax", "gumbel_softmax", "sum", "gdas", "proxyless"] = Field(
            "proxyless",
            description="how candidates run: sampled (proxyless, gdas), or all of them at many times the memory",
        )
        temperature: TemperatureConfig = Field(
            TemperatureConfig(), description="of gumbel_softmax and gdas: the lower, the closer to one-hot"
        )
        arch_after: float = Field(
            0.0, ge=0, lt=1, description="share of the steps before architecture steps begin: weights first"
        )
        hardware: tuple[HardwareConfig, ...] = Field((), description="costs that are kept low, or near a target")

    config: Config

    def setup(self, space: Space, costs: CostModel, feasible: FeasibleSet) -> None:
        """Make the architecture parameters: all indices of a decision start equal.

        Raises:
            UsageError: hardware on an unknown metric, or with a target that no architecture reaches.
        """
        import torch

        super().setup(space, costs, feasible)
        self._penalties = [penalty_of(hardware, feasible) for hardware in self.config.hardware]
        starts = [1 / d.size if self.config.mixture == "sum" else 0.0 for d in space.decisions]
        self._alphas = {
            d.label: torch.nn.Parameter(torch.full((d.size,), start))
            for d, start in zip(space.decisions, starts, strict=True)
        }

    @property
    def is_mixture(self) -> bool:
        """Whether passes run all candidates at once."""
        return self.config.mixture not in ("gdas", "proxyless")

    def arch_parameters(self) -> Mapping[str, Parameter]:
        """One parameter a decision, (size,), over its indices."""
        return self._alphas

    def probabilities(self) -> dict[str, Tensor]:
        """The probability of each index of each decision, (size,); they carry gradients."""
        return {label: alpha.softmax(0) for label, alpha in self._alphas.items()}

    def updates(self, step: int, rng: np.random.Generator) -> Updates:
        """An architecture step, once they have begun, and a weight step."""
        import torch

        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        if step >= self.config.arch_after * self.total_steps:
            penalty = self.penalty if self._penalties else None
            yield Update([Pass(self._mixed(step, generator))], "arch", "arch", penalty)
        yield Update([Pass(self._mixed(step, generator) if self.is_mixture else self._path(generator))])

    def penalty(self) -> Tensor:
        """What the hardware adds to the loss of an architecture step, a scalar."""
        import torch

        probabilities = list(self.probabilities().values())
        return torch.stack([penalty(probabilities) for penalty in self._penalties]).sum()

    def temperature(self, step: int) -> float:
        """The temperature of a step; that of the first one, as long as nobody knows the number of steps."""
        return self.config.temperature.at(step, self.total_steps)

    def _mixed(self, step: int, generator: torch.Generator) -> Forward:
        from nascli.supernet.mixtures import MIXTURES, SAMPLED, gumbel

        alphas = list(self._alphas.values())
        form = (MIXTURES if self.is_mixture else SAMPLED)[self.config.mixture]
        return form(self.space, alphas, gumbel(alphas, generator), self.temperature(step))

    def _path(self, generator: torch.Generator) -> Forward:
        from nascli.supernet.mixtures import drawn_path, gumbel

        alphas = list(self._alphas.values())
        return self.space.forward(drawn_path(self.space, alphas, gumbel(alphas, generator)))
