"""Samplers: classes whose `step()` sets what a supernet runs in the next step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nascli.training_strategy.base import Pass, TrainingStrategy, Update, Updates
from nascli.training_strategy.seeded import hand_over, initial_rng, seeded
from nascli.training_strategy.user_code import attributes, restore, running

if TYPE_CHECKING:
    from torch import nn
    from torch.nn import Parameter

    from nascli.training_strategy.facade import SupernetFacade

GIVEN = frozenset(("micro_len", "macro_len", "model"))


class BaseSampler(ABC):
    """Decides before each step what the supernet runs.

    Args:
        micro_len: number of indices of a decision, of the largest one where they differ.
        macro_len: number of decisions.
        model: what to set; see `SupernetFacade`.
    """

    def __init__(self, micro_len: int, macro_len: int, model: SupernetFacade) -> None:
        self.micro_len, self.macro_len, self.model = micro_len, macro_len, model

    @abstractmethod
    def step(self) -> None:
        """Called once before each step: set a forward state, and what it needs, on `self.model`."""


class SamplerStrategy(TrainingStrategy):
    """Drives a sampler; `adapt` makes a subclass for each sampler that a reference names.

    A step calls `step()` and trains the weights of what was set. If the sampler initialised architecture parameters
    in its constructor and the supernet runs a mixture by them, they are trained first, on the `arch` split.

    The sampler may draw from the global random generators: they are seeded for it by run and step. A checkpoint holds
    its `state_dict()`, or else those of its attributes that are numbers, strings, tensors, arrays, lists and dicts.
    """

    sampler_class: ClassVar[type[BaseSampler]]

    def bind(self, module: nn.Module) -> None:
        """Make the sampler; it sees the supernet's facade alone."""
        from nascli.training_strategy.facade import SupernetFacade

        self.supernet = SupernetFacade(self.space)
        with seeded(initial_rng()), running(f"making a {self.sampler_class.__name__}"):
            sizes = self.space.sizes
            self.sampler = self.sampler_class(max(sizes), len(sizes), self.supernet, **self.config.model_dump())
        self.supernet.started = True

    def updates(self, step: int, rng: np.random.Generator) -> Updates:
        """One update of the weights, and one of the architecture parameters before it where they are in use."""
        hand_over(self.sampler, rng)
        with seeded(rng), running(f"{type(self.sampler).__name__}.step()"):
            self.sampler.step()
        noise = int(rng.integers(2**63))
        if self.supernet.in_use:
            yield Update([Pass(self.supernet.forward(noise))], "arch", "arch")
        yield Update([Pass(self.supernet.forward(noise))])

    def arch_parameters(self) -> Mapping[str, Parameter]:
        """What the sampler initialised, by label."""
        return self.supernet.parameters

    def state_dict(self) -> dict[str, Any]:
        """The sampler's state, and what it has set."""
        own = getattr(self.sampler, "state_dict", None)
        return {"sampler": own() if own else attributes(self.sampler, GIVEN), "supernet": self.supernet.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Into the sampler and what it has set."""
        own = getattr(self.sampler, "load_state_dict", None)
        if own:
            own(state["sampler"])
        else:
            restore(self.sampler, state["sampler"])
        self.supernet.load_state_dict(state["supernet"])
