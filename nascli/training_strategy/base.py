"""The contract of a training strategy: it yields `Update`s, the training agent runs them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nascli.component import Component
from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.space import Forward, Space

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.nn import Parameter


@dataclass(frozen=True)
class Pass:
    """One forward and backward.

    `forward`: what the supernet runs; None runs the module as it stands (a plain `model(x)`), by its mutator if it
    has one.
    `target`: the labels, or the position of an earlier pass of the same update whose detached output is imitated.
    `scale`: factor of its loss.
    """

    forward: Forward | None
    target: Literal["labels"] | int = "labels"
    scale: float = 1.0


@dataclass(frozen=True)
class Update:
    """Passes whose gradients are summed before one optimiser step.

    `split`: where the batch comes from. `params`: what the optimiser changes; None computes no gradient and
    writes no buffer. `penalty`: a term added to the loss; with one, `passes` may be empty.
    """

    passes: Sequence[Pass]
    split: Literal["train", "arch"] = "train"
    params: Literal["weights", "arch"] | None = "weights"
    penalty: Callable[[], Tensor] | None = None


@dataclass(frozen=True)
class Losses:
    """What an update gave: per pass its unscaled loss and its accuracy, detached scalars on the device."""

    losses: Sequence[Tensor]
    accuracies: Sequence[Tensor]


Updates = Generator[Update, Losses, None]


class TrainingStrategy(Component):
    """Decides what a step of supernet training updates.

    `setup` is called once, before training, and `bind` after it; `updates` once a step. What depends on chance must
    come from the `rng` of the step, and what is remembered between steps must be in `state_dict`: then a resumed run
    equals an uninterrupted one.
    """

    total_steps: int = 0
    """Steps of the whole training, set by the agent before the first one; 0 where nobody knows."""

    @property
    def is_mixture(self) -> bool:
        """Whether passes run all candidates at once, so that memory grows with their number."""
        return False

    @classmethod
    def adapt(cls, found: Any) -> Any:
        """A mutator or a sampler becomes the strategy that it drives."""
        from nascli.training_strategy.adapted import adapted

        return adapted(found)

    def setup(self, space: Space, costs: CostModel, feasible: FeasibleSet) -> None:
        """Look at the space; raise UsageError where the strategy makes no sense for it.

        Args:
            feasible: the architectures within the constraints of the run; `everything` is without them.
        """
        self.space, self.costs, self.feasible = space, costs, feasible

    @cached_property
    def everything(self) -> FeasibleSet:
        """All architectures of the space, whatever the constraints of the run."""
        return FeasibleSet(self.costs)

    def bind(self, module: nn.Module) -> None:
        """Look at the supernet itself, which most strategies need not; called once.

        It comes after `setup`, before the first step, `arch_parameters` and `load_state_dict`; what is drawn from
        torch's global generator here is seeded by the run.
        """

    @abstractmethod
    def updates(self, step: int, rng: np.random.Generator) -> Updates:
        """The updates of one step; each `yield` returns the `Losses` of its update."""

    def arch_parameters(self) -> Mapping[str, Parameter]:
        """Trainable architecture parameters.

        Those named like a decision have its shape, (size,); others, such as a mutator's, have any. The names stay
        the same from `bind` to the end.
        """
        return {}

    def state_dict(self) -> dict[str, Any]:
        """What the strategy remembers between steps: tensors, numbers, strings, lists and dicts."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state_dict`."""
