"""Users' mutators as training strategies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.errors import ComponentError, UsageError
from nascli.space import Space
from nascli.supernet.base import Supernet
from nascli.testing.network import network
from nascli.training_agent.updates import Updater
from nascli.training_strategy.adapted import adapted
from nascli.training_strategy.base import Losses, TrainingStrategy, Update
from nascli.training_strategy.mutator import Mutator, RandomMutator
from tests.training_agent.helpers import batch, fresh, tiny, updater

from .mutators import Darts, Enas, GuideMutator, Own, ready


def shape(update: Update) -> tuple[int, str, str | None, bool]:
    assert all(item.forward is None and item.target == "labels" for item in update.passes)
    return len(update.passes), update.split, update.params, update.penalty is not None


def shapes(strategy: TrainingStrategy) -> list[tuple[int, str, str | None, bool]]:
    """What the updates of a step are, each answered with losses."""
    generator = strategy.updates(0, np.random.default_rng(0))
    found, losses = [shape(next(generator))], Losses([torch.tensor(1.0)], [torch.tensor(0.5)])
    while True:
        try:
            found.append(shape(generator.send(losses)))
        except StopIteration:
            return found


WEIGHTS, ARCH = (1, "train", "weights", False), (1, "arch", "arch", False)

MEASURE, REWARD = (1, "arch", None, False), (0, "arch", "arch", True)


@pytest.mark.parametrize(
    ("mutator", "expected"),
    [
        (RandomMutator, [WEIGHTS]),
        (GuideMutator, [WEIGHTS]),
        (Darts, [ARCH, WEIGHTS]),
        (Enas, [WEIGHTS, MEASURE, REWARD]),
    ],
)
def test_a_step_of_a_mutator(mutator: type[Mutator], expected: list[Any]) -> None:
    assert shapes(ready(mutator)) == expected


def test_a_reward_goes_before_the_gradient_of_the_sample() -> None:
    class Silent(Darts):
        def reward(self, losses: Losses) -> None:
            assert len(losses.losses) == 1

    assert shapes(ready(Silent)) == [WEIGHTS, MEASURE]


def test_a_mutator_sees_the_users_network_and_not_what_is_around_it() -> None:
    module: Supernet = fresh(tiny().supernet)
    assert ready(RandomMutator, module).mutator.model is module.network


def test_parameters_have_the_names_that_they_have_in_the_mutator() -> None:
    strategy = ready(Darts)
    assert strategy.arch_parameters() == dict(strategy.mutator.named_parameters())
    assert ready(GuideMutator).arch_parameters() == {}


def test_frozen_parameters_and_the_models_own_are_not_trained() -> None:
    class Greedy(Darts):
        def __init__(self, model: nn.Module) -> None:
            super().__init__(model)
            self.stolen = self.mutables[0]
            self.frozen = nn.Parameter(torch.zeros(3), requires_grad=False)

    assert set(ready(Greedy).arch_parameters()) == {f"alphas.layer_{i:02d}" for i in range(6)}


def run(strategy: Any, module: Supernet) -> tuple[Updater, dict[str, Any]]:
    """One step by the training agent; the mutator's gradients after each kind of update."""
    runner = updater(module, list(strategy.arch_parameters().values()))
    generator, seen = strategy.updates(0, np.random.default_rng(0)), {}
    update = next(generator)
    while True:
        for parameter in strategy.arch_parameters().values():
            parameter.grad = None
        losses = runner.run(update, batch())
        name = str(update.params)
        seen[name] = {n: p.grad for n, p in strategy.arch_parameters().items() if p.grad is not None}
        try:
            update = generator.send(losses)
        except StopIteration:
            return runner, seen


@pytest.mark.parametrize("mutator", [Darts, Own, Enas])
def test_only_architecture_updates_give_the_mutator_a_gradient(mutator: type[Mutator]) -> None:
    module: Supernet = fresh(tiny().supernet)
    strategy = ready(mutator, module)
    before = {name: p.detach().clone() for name, p in strategy.arch_parameters().items()}
    _, seen = run(strategy, module)
    assert seen.pop("arch").keys() == before.keys()
    assert all(found == {} for found in seen.values())
    assert all(not torch.equal(p, before[name]) for name, p in strategy.arch_parameters().items())
    assert all(p.requires_grad for p in strategy.arch_parameters().values())


def test_a_step_that_fails_leaves_the_mutator_trainable() -> None:
    strategy = ready(Darts)
    generator = strategy.updates(0, np.random.default_rng(0))
    next(generator)
    next(generator)
    assert not any(p.requires_grad for p in strategy.arch_parameters().values())
    generator.close()
    assert all(p.requires_grad for p in strategy.arch_parameters().values())


def test_all_updates_of_a_step_run_one_sample() -> None:
    strategy = ready(RandomMutator)
    calls = []
    strategy.mutator.reset = lambda: (calls.append(1), RandomMutator.reset(strategy.mutator))
    shapes(strategy)
    assert len(calls) == 1


def test_the_weights_are_trained_by_the_values_of_the_sample() -> None:
    strategy = ready(Darts)
    generator = strategy.updates(0, np.random.default_rng(0))
    next(generator)
    sampled = {key: values.detach().clone() for key, values in strategy.mutator.applied.items()}
    generator.send(Losses([torch.tensor(1.0)], [torch.tensor(0.5)]))
    assert all(torch.equal(values, sampled[key]) for key, values in strategy.mutator.applied.items())
    assert not any(values.requires_grad for values in strategy.mutator.applied.values())


def test_a_reward_without_parameters_measures_on_the_training_split() -> None:
    rewards: list[Losses] = []

    class Counting(RandomMutator):
        def reward(self, losses: Losses) -> None:
            rewards.append(losses)

    assert shapes(ready(Counting)) == [WEIGHTS, (1, "train", None, False)]
    assert [losses.accuracies[0].item() for losses in rewards] == [0.5]


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (3.0, "a scalar tensor"),
        (torch.tensor(3.0), "carries a gradient"),
        (torch.ones(2, requires_grad=True), "scalar"),
    ],
)
def test_a_reward_that_cannot_be_trained_on_is_refused(loss: Any, said: str) -> None:
    class Wrong(Enas):
        def reward(self, losses: Losses) -> Any:
            return loss

    with pytest.raises(UsageError, match=rf"Wrong.reward\(\) returns .*{said}"):
        shapes(ready(Wrong))


def test_a_loss_without_anything_to_train_is_refused() -> None:
    class Wrong(RandomMutator):
        def reward(self, losses: Losses) -> Tensor:
            return torch.tensor(1.0, requires_grad=True)

    with pytest.raises(UsageError, match=r"Wrong.reward\(\) returned a loss, but the mutator has no parameters"):
        shapes(ready(Wrong))


def test_rewards_favour_what_scores_better() -> None:
    space = Space("one", tiny().space.decisions[:1], (1, 8, 8), 10)
    module = network(space)
    strategy = adapted(Enas)()
    strategy.setup(space, CostModel(space, {}), FeasibleSet(CostModel(space, {}), []))
    strategy.bind(module)
    (logits,) = strategy.arch_parameters().values()
    optimizer = torch.optim.Adam([logits], lr=0.1)
    for step in range(200):
        generator = strategy.updates(step, np.random.default_rng(step))
        next(generator)
        generator.send(Losses([], []))
        right = torch.tensor(float(strategy.mutator.applied["layer_00"][3]))
        update = generator.send(Losses([torch.tensor(0.0)], [right]))
        optimizer.zero_grad()
        update.penalty().backward()
        optimizer.step()
    assert logits.softmax(0)[3] > 0.9


def test_a_trained_supernet_runs_forwards_that_are_handed_over(tmp_path: Path) -> None:
    module: Supernet = fresh(tiny().supernet)
    ready(GuideMutator, module)
    plain: Supernet = fresh(tiny().supernet)
    path = tiny().space.forward([0, 1, 2, 3, 4, 0])
    assert torch.equal(module.eval()(batch().images, path), plain.eval()(batch().images, path))


class Remembering(RandomMutator):
    """Keeps a number and a list between steps."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.baseline, self.seen = 0.0, [1]

    def reset(self) -> None:
        super().reset()
        self.baseline += 0.5


class Failing(RandomMutator):
    """Has a mistake."""

    def sample_search(self) -> Any:
        return {}["missing"]


def test_plain_attributes_of_a_mutator_are_in_its_state() -> None:
    first, second = ready(Remembering), ready(Remembering)
    list(first.updates(0, np.random.default_rng(0)))
    second.load_state_dict(first.state_dict())
    assert (second.mutator.baseline, second.mutator.seen) == (0.5, [1])
    assert first.state_dict()["attributes"] == {"baseline": 0.5, "seen": [1]}


def test_a_mistake_in_a_mutator_is_named_with_its_place() -> None:
    with pytest.raises(ComponentError, match=r"Failing\.reset\(\) failed") as caught:
        next(ready(Failing).updates(0, np.random.default_rng(0)))
    assert caught.value.why.startswith("KeyError: 'missing' (test_mutating.py, line ")
