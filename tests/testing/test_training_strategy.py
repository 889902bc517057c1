"""The contract of training strategies notices every breach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from nascli.space import Selection
from nascli.testing import TrainingStrategyContract
from nascli.training_strategy.base import Pass, TrainingStrategy, Update, Updates
from nascli.training_strategy.mutator import RandomMutator
from nascli.training_strategy.uniform import Uniform


class Counting(Uniform):
    """Right: has a state, an architecture update and a penalty, and answers to its losses."""

    seen = 0.0

    def arch_parameters(self) -> Mapping[str, torch.nn.Parameter]:
        return {d.label: torch.nn.Parameter(torch.zeros(d.size)) for d in self.space.decisions}

    def updates(self, step: int, rng: np.random.Generator) -> Updates:
        forward = {d.label: Selection((0, d.size - 1)[: d.size], None) for d in self.space.decisions}
        losses = yield Update([Pass(forward, scale=self.seen), Pass(forward, target=0)])
        self.seen += losses.losses[0].item()
        yield Update([], "arch", "arch", lambda: torch.tensor(self.seen))

    def state_dict(self) -> dict[str, Any]:
        return {"seen": self.seen}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.seen = state["seen"]


class Forgetful(Counting):
    def state_dict(self) -> dict[str, Any]:
        return {"seen": 0.0}


class Unseeded(Uniform):
    def updates(self, step: int, rng: np.random.Generator) -> Updates:
        return super().updates(step, np.random.default_rng())


class Globally(Uniform):
    def updates(self, step: int, rng: np.random.Generator) -> Updates:
        torch.rand(1)
        return super().updates(step, rng)


class Restless(Uniform):
    """Leaves the network to a mutator that nobody seeds."""

    def bind(self, module: torch.nn.Module) -> None:
        self.mutator = RandomMutator(module)

    def updates(self, step: int, rng: np.random.Generator) -> Updates:
        self.mutator.reset()
        yield Update([Pass(None)])


class Endless(Uniform):
    def updates(self, step: int, rng: np.random.Generator) -> Updates:
        while True:
            yield from super().updates(step, rng)


class Idle(Uniform):
    def updates(self, step: int, rng: np.random.Generator) -> Updates:
        yield from ()


class Missized(Uniform):
    def arch_parameters(self) -> Mapping[str, torch.nn.Parameter]:
        return {"elsewhere": torch.nn.Parameter(torch.zeros(3, 3)), "layer_0": torch.nn.Parameter(torch.zeros(7))}


def yielding(update: Any) -> type[TrainingStrategy]:
    """A strategy whose only update is made of the forward of a sample."""

    class Yielding(Uniform):
        def updates(self, step: int, rng: np.random.Generator) -> Updates:
            yield update(dict(self.space.forward(self.feasible.sample(1, rng)[0])))

    return Yielding


def first(forward: dict[str, Selection], *selection: Any) -> dict[str, Selection]:
    return {**forward, next(iter(forward)): Selection(*selection)}


TESTS = [name for name in dir(TrainingStrategyContract) if name.startswith("test_")]


def kit(strategy: type[TrainingStrategy]) -> TrainingStrategyContract:
    return type("Kit", (TrainingStrategyContract,), {"make": strategy})()


@pytest.mark.parametrize("test", TESTS)
def test_a_right_strategy_passes(test: str) -> None:
    getattr(kit(Counting), test)()


@pytest.mark.parametrize(
    ("strategy", "test", "said"),
    [
        (Forgetful, "test_it_goes_on_from_its_state", "leaves something out"),
        (Unseeded, "test_its_updates_are_a_function_of_seed_and_step", "other updates"),
        (Restless, "test_its_updates_are_a_function_of_seed_and_step", "other updates"),
        (Globally, "test_it_leaves_the_global_random_states_alone", "global generator of torch"),
        (Endless, "test_its_updates_are_a_function_of_seed_and_step", "has 100 updates"),
        (Idle, "test_every_forward_fits_the_space", "has 0 updates"),
        (Missized, "test_architecture_parameters_named_like_a_decision_have_its_size", "'layer_0' has 3 indices"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_wrong_strategy_is_told_what_it_breaks(strategy: type[TrainingStrategy], test: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        getattr(kit(strategy), test)()


@pytest.mark.parametrize(
    ("update", "said"),
    [
        (lambda f: Update([]), "does nothing"),
        (lambda f: Update([Pass(f, target=0)]), "no earlier pass"),
        (lambda f: Update([Pass(f, scale=float("nan"))]), "its scale is nan"),
        (lambda f: Update([Pass({**f, "more": Selection((0,))})]), r"differs in \['more'\]"),
        (lambda f: Update([Pass(dict(list(f.items())[1:]))]), "differs in"),
        (lambda f: Update([Pass(first(f, ()))]), "no candidate runs"),
        (lambda f: Update([Pass(first(f, (9,)))]), "of 3 candidates"),
        (lambda f: Update([Pass(first(f, (0, 0)))]), "runs twice"),
        (lambda f: Update([Pass(first(f, (0, 1), torch.ones(3)))]), "need as many weights"),
    ],
)
def test_an_update_that_cannot_be_run_is_refused(update: Any, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        kit(yielding(update)).test_every_forward_fits_the_space()
