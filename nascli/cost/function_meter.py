"""A function as a meter: `measure(module, input) -> float`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any

from pydantic import Field

from nascli.cost.rounds import Sampler
from nascli.cost.sampled_meter import SampledMeter
from nascli.cost.units import unit_of
from nascli.errors import RunFailed

if TYPE_CHECKING:
    from torch import nn


class FunctionMeter(SampledMeter):
    """Calls a function of the user's once a round for each block, and for each whole network."""

    class Config(SampledMeter.Config):
        """How long to measure."""

        batch: int = Field(1, ge=1, description="images in the input that the function gets")

    config: Config
    function: Callable[[Any, Any], float]

    def sampler(self, module: nn.Module, shape: tuple[int, ...]) -> Sampler:
        """The function on the module and an input (batch, *shape); what is no cost raises RunFailed."""
        from nascli.cost.onnx_export import images

        x, function = images(self.config.batch, shape), type(self).function

        def sample() -> float:
            found = float(function(module, x))
            if not isfinite(found) or found < 0:
                what = f"{function.__name__} gave {found} for {type(module).__name__} {shape}"
                raise RunFailed(what, why="a cost is a finite number, 0 or more")
            return found

        return sample


@cache
def wrap(function: Callable[..., float]) -> type[FunctionMeter]:
    """The meter that a function is: its name is the metric, and the end of its name the unit."""
    metric = function.__name__.lower()
    members = {
        "function": staticmethod(function),
        "metric": metric,
        "unit": unit_of(metric) or "1",
        "__doc__": function.__doc__,
        "__module__": function.__module__,
    }
    return type(function.__name__, (FunctionMeter,), members)
