"""Training by a mutator: each step trains what its `reset()` leaves the model with."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from torch import Tensor, nn
from torch.nn import Parameter

from nascli.errors import UsageError
from nascli.supernet.base import Supernet
from nascli.training_strategy.base import Losses, Pass, TrainingStrategy, Update, Updates
from nascli.training_strategy.mutator import Mutator
from nascli.training_strategy.samples import detached
from nascli.training_strategy.seeded import hand_over, initial_rng, seeded
from nascli.training_strategy.user_code import attributes, restore, running

OWN = frozenset((*vars(nn.Module()), "model", "_bound", "_choices", "_sampled"))
"""Attributes that every mutator has."""


class MutatorStrategy(TrainingStrategy):
    """Drives a mutator; `adapt` makes a subclass for each mutator that a reference names.

    A step resets the mutator and trains the weights of what it sampled. Parameters of the mutator learn by one of

    - the gradient that the sample carries, from an architecture update before that of the weights (DARTS), or
    - `reward(losses)`, if the mutator has it: it is called once a step with the losses of the same sample on the
      `arch` split, after the weights have changed, and returns the loss of the mutator or None (ENAS). Without
      parameters, the losses are those on the `train` split.

    The mutator may draw from the global random generators: they are seeded for it by run and step.
    """

    mutator_class: ClassVar[type[Mutator]]

    def bind(self, module: nn.Module) -> None:
        """Make the mutator of this model."""
        model = module.network if isinstance(module, Supernet) else module
        with seeded(initial_rng()), running(f"making a {self.mutator_class.__name__}"):
            self.mutator = self.mutator_class(model, **self.config.model_dump())
        shared = set(map(id, module.parameters()))
        named = self.mutator.named_parameters()
        reward = getattr(self.mutator, "reward", None)
        self._reward: Callable[[Losses], Tensor | None] | None = reward if inspect.ismethod(reward) else None
        self._trained = {name: p for name, p in named if p.requires_grad and id(p) not in shared}

    def updates(self, step: int, rng: np.random.Generator) -> Updates:
        """One update of the weights, and those of the mutator's parameters."""
        hand_over(self.mutator, rng)
        with seeded(rng), running(f"{type(self.mutator).__name__}.reset()"):
            self.mutator.reset()
        if self._reward is None and self._carries_gradient():
            yield Update([Pass(None)], "arch", "arch")
        yield from self._weights()
        if self._reward is not None:
            yield from self._rewarded(self._reward, rng)

    def _carries_gradient(self) -> bool:
        return any(values.requires_grad for values in (self.mutator.applied or {}).values())

    def _weights(self) -> Updates:
        """Trains the weights; nothing of it goes back into the mutator, be it through the sample or its callbacks."""
        if self.mutator.applied is not None and self._carries_gradient():
            self.mutator.apply_on_model(detached(self.mutator.applied))
        self._require_grad(False)
        try:
            yield Update([Pass(None)])
        finally:
            self._require_grad(True)

    def _require_grad(self, wanted: bool) -> None:
        for parameter in self._trained.values():
            parameter.requires_grad_(wanted)

    def _rewarded(self, reward: Callable[[Losses], Tensor | None], rng: np.random.Generator) -> Updates:
        losses = yield Update([Pass(None)], "arch" if self._trained else "train", None)
        with seeded(rng), running(f"{type(self.mutator).__name__}.reward()"):
            loss = reward(losses)
        self._check(loss)
        if loss is not None:
            yield Update([], "arch", "arch", lambda: loss)

    def _check(self, loss: object) -> None:
        if loss is None:
            return
        where = f"{type(self.mutator).__name__}.reward()"
        if not self._trained:
            raise UsageError(f"{where} returned a loss, but the mutator has no parameters to train")
        if not isinstance(loss, Tensor) or loss.numel() != 1 or not loss.requires_grad:
            raise UsageError(
                f"{where} returns a scalar tensor that carries a gradient, or None", why=f"found {loss!r:.60}"
            )

    def arch_parameters(self) -> Mapping[str, Parameter]:
        """The trainable parameters of the mutator by their names."""
        return self._trained

    def state_dict(self) -> dict[str, Any]:
        """The mutator's `state_dict()`, and those of its attributes that are numbers, strings, arrays, lists, dicts."""
        return {"module": dict(self.mutator.state_dict()), "attributes": attributes(self.mutator, OWN)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Into the mutator."""
        self.mutator.load_state_dict(dict(state["module"]))
        restore(self.mutator, state["attributes"])
