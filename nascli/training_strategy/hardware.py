"""The hardware criterion: what the expected cost of an architecture adds to the loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from nascli.config import Config
from nascli.cost.constraint import Constraint, describe
from nascli.cost.feasible import FeasibleSet
from nascli.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

Penalty = Callable[[Sequence["Tensor"]], "Tensor"]
"""From probabilities, (size,) a decision, to a term of the loss."""


class HardwareConfig(Config):
    """A cost that is kept low, or near a target."""

    metric: str = Field(description="a metric of the costs: macs, latency_ms, …")
    weight: float = Field(1.0, gt=0, description="of this term in the loss")
    target: float | None = Field(None, gt=0, description="in the unit of the metric; null: the lower, the better")
    form: Literal["at_most", "target"] = Field("at_most", description="whether only costs above the target count")

    @model_validator(mode="after")
    def _has_target(self) -> HardwareConfig:
        if self.form == "target" and self.target is None:
            raise ValueError("form: target needs a target")
        return self


def penalty_of(config: HardwareConfig, feasible: FeasibleSet) -> Penalty:
    """The term of one metric, of its expected cost E.

    Without a target, weight · E / E₀, where E₀ belongs to uniform probabilities; with one, weight · (E / target - 1)²,
    and 0 below the target where only costs above it count.

    Raises:
        UsageError: no such metric, one that costs nothing, or a target that no architecture reaches.
    """
    metric = feasible.model[config.metric]
    scale = _uniform_cost(config.metric, feasible) if config.target is None else _reachable(config, feasible)

    def penalty(probabilities: Sequence[Tensor]) -> Tensor:
        share = metric.expected(probabilities) / scale
        if config.target is None:
            return config.weight * share
        excess = (share - 1).relu() if config.form == "at_most" else share - 1
        return config.weight * excess.square()

    return penalty


def _uniform_cost(name: str, feasible: FeasibleSet) -> float:
    import torch

    uniform = [torch.full((size,), 1 / size, dtype=torch.float64) for size in feasible.space.sizes]
    cost = feasible.model[name].expected(uniform).item()
    if cost == 0:
        raise UsageError(f"hardware: every architecture has {name}=0", hint="leave this metric out")
    return cost


def _reachable(config: HardwareConfig, feasible: FeasibleSet) -> float:
    assert config.target is not None
    smallest, largest = feasible.bounds(config.metric)
    if config.target < smallest or (config.form == "target" and config.target > largest):
        wanted = str(Constraint(config.metric, config.target, upper=True)).replace("<=", "=")
        raise UsageError(
            f"hardware: no architecture reaches {wanted}",
            why=f"there is {describe(config.metric, (smallest, largest))}",
        )
    return config.target
