"""Component kind `meter`: what measures one block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from inspect import isfunction
from typing import TYPE_CHECKING, Any

from nascli.artifacts.lookup_table import Joins
from nascli.component import Component

if TYPE_CHECKING:
    from torch import nn


class Meter(Component, ABC):
    """Measures what one candidate block costs.

    Two ways to write one of your own: a function `energy_mj(module, input) -> float`, which is called in interleaved
    rounds and checked on whole networks, named as `./file.py:energy_mj`; or a class with what follows.

    Attributes:
        metric: the name of the cost, which carries its unit if it has one: "macs", "latency_ms".
        unit: "MAC", "1", "ms".
        exact: whether the costs of the blocks of a network add up to exactly the network's.
        counts_modules: whether a block costs the same however often a forward calls it, as parameters do.
        joins: how the costs of blocks make that of a network: they add up, or the largest one counts.
        shapes_only: whether shapes are all it looks at, so that modules may be on the meta device.
    """

    metric: str
    unit: str
    exact: bool
    counts_modules: bool = False
    joins: Joins = "sum"
    shapes_only: bool = False

    @classmethod
    def adapt(cls, found: Any) -> Any:
        """A function `measure(module, input) -> float` is a meter by itself, called by its name: `energy_mj`."""
        if isfunction(found):
            from nascli.cost.function_meter import wrap

            return wrap(found)
        return found

    @abstractmethod
    def measure(self, module: nn.Module, shape: tuple[int, ...]) -> int | float:
        """What `module` costs on one input of `shape` (C, H, W), batch dimension left out; finite, 0 or more.

        Called by `measure_all`, once for each distinct (candidate, input shape) of a lookup table, with the
        module in evaluation mode. The module may be run, not changed, and must not be kept.
        """

    def measure_all(self, blocks: Sequence[tuple[nn.Module, tuple[int, ...]]]) -> list[int | float]:
        """What each (module, shape) costs, in their order; a meter that compares blocks overrides it."""
        return [self.measure(module.eval(), shape) for module, shape in blocks]

    def notes(self) -> Mapping[str, Any]:
        """The conditions of the last measurement, plain JSON values; kept in the lookup table."""
        return {}
