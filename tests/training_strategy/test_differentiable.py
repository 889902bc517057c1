from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nascli.errors import UsageError
from nascli.testing import TrainingStrategyContract
from nascli.training_strategy.differentiable import Differentiable
from nascli.training_strategy.hardware import HardwareConfig

from .helpers import ALL, CELL, MIXED, SAMPLED, arch_of, cell_costs, differentiable, flat, step, turn, updates

MACS = {"hardware": (HardwareConfig(metric="macs"),)}


class Contract(TrainingStrategyContract):
    mixture = "proxyless"

    def make(self) -> Differentiable:
        return Differentiable(Differentiable.Config(mixture=self.mixture, **MACS))


class TestProxyless(Contract):
    pass


class TestGdas(Contract):
    mixture = "gdas"


class TestSoftmax(Contract):
    mixture = "softmax"


class TestGumbelSoftmax(Contract):
    mixture = "gumbel_softmax"


class TestSum(Contract):
    mixture = "sum"


@pytest.mark.parametrize("mixture", ALL)
def test_a_step_updates_the_architecture_on_its_split_and_then_the_weights(mixture: str) -> None:
    arch, weights = step(differentiable(cell_costs(), mixture))
    assert (arch.split, arch.params, arch.penalty) == ("arch", "arch", None)
    assert (weights.split, weights.params, weights.penalty) == ("train", "weights", None)
    for update in (arch, weights):
        assert [(item.target, item.scale) for item in update.passes] == [("labels", 1.0)]


def test_parameters_are_over_the_indices_of_each_decision_and_start_equal() -> None:
    for mixture in ALL:
        strategy = differentiable(cell_costs(), mixture)
        found = strategy.arch_parameters()
        assert {label: len(p) for label, p in found.items()} == {d.label: d.size for d in CELL.decisions}
        for label, parameter in found.items():
            value = 1 / len(parameter) if mixture == "sum" else 0.0
            assert torch.equal(parameter, torch.full_like(parameter, value)), label
        assert all(torch.allclose(p, torch.full_like(p, 1 / len(p))) for p in strategy.probabilities().values())


def test_without_further_options_paths_are_sampled() -> None:
    assert Differentiable.Config().mixture in SAMPLED
    assert [differentiable(flat(2), mixture).is_mixture for mixture in ALL] == [True] * 3 + [False] * 2


@pytest.mark.parametrize("mixture", SAMPLED)
def test_sampled_forms_train_the_weights_of_one_path(mixture: str) -> None:
    strategy = differentiable(cell_costs(), mixture)
    for number in range(20):
        forward = step(strategy, number)[1].passes[0].forward
        assert forward == CELL.forward(arch_of(forward, CELL))


@pytest.mark.parametrize("mixture", MIXED)
def test_mixtures_train_the_weights_of_all_candidates(mixture: str) -> None:
    forward = step(differentiable(cell_costs(), mixture))[1].passes[0].forward
    for decision in CELL.decisions:
        assert forward[decision.label].active == tuple(range(len(decision.candidates)))
        assert forward[decision.label].weights is not None


@pytest.mark.parametrize("mixture", SAMPLED)
def test_paths_follow_the_parameters(mixture: str) -> None:
    strategy = differentiable(flat(3, 4), mixture)
    for number in range(10):
        turn(strategy, "layer_0", [0, 0, 50])
        turn(strategy, "layer_1", [0, 50, 0, 0])
        for update in step(strategy, number):
            assert [update.passes[0].forward[f"layer_{i}"].active[0] for i in range(2)] == [2, 1]


@pytest.mark.parametrize("mixture", SAMPLED)
def test_the_path_of_the_weights_is_drawn_anew(mixture: str) -> None:
    strategy = differentiable(flat(*[9] * 12), mixture)
    arch, weights = (update.passes[0].forward for update in step(strategy))
    assert [arch[label].active[0] for label in arch] != [weights[label].active[0] for label in weights]


def test_the_path_of_the_weights_sees_what_the_architecture_step_changed() -> None:
    strategy = differentiable(flat(3), "proxyless")
    for seed in range(10):
        turn(strategy, "layer_0", [50, 0, 0])
        generator = strategy.updates(0, np.random.default_rng(seed))
        next(generator)
        turn(strategy, "layer_0", [0, 0, 50])
        assert next(generator).passes[0].forward["layer_0"].active == (2,)


@pytest.mark.parametrize(("share", "begins"), [(0.0, 0), (0.25, 5), (0.5, 10), (0.26, 6)])
def test_architecture_steps_begin_after_their_share_of_the_steps(share: float, begins: int) -> None:
    strategy = differentiable(flat(3), "softmax", arch_after=share)
    strategy.total_steps = 20
    kinds = [[update.params for update in updates(strategy, number)] for number in range(20)]
    assert kinds == [["weights"]] * begins + [["arch", "weights"]] * (20 - begins)


def test_where_nobody_knows_the_number_of_steps_architecture_steps_begin_at_once() -> None:
    assert len(updates(differentiable(flat(3), "softmax", arch_after=0.5), 0)) == 2


def test_the_temperature_falls_exponentially_from_start_to_end() -> None:
    strategy = differentiable(flat(3), "gdas", temperature={"start": 8.0, "end": 0.5})
    assert {strategy.temperature(number) for number in (0, 7, 1000)} == {8.0}
    strategy.total_steps = 5
    assert [strategy.temperature(number) for number in range(5)] == pytest.approx([8, 4, 2, 1, 0.5])
    assert strategy.temperature(9) == 0.5


def test_the_temperature_of_a_step_sharpens_its_mixture() -> None:
    strategy = differentiable(flat(5), "gumbel_softmax", temperature={"start": 100.0, "end": 0.001})
    strategy.total_steps = 2
    first, last = (updates(strategy, number)[0].passes[0].forward["layer_0"].weights for number in range(2))
    assert first.max() < 0.25
    assert last.max() > 0.999


@pytest.mark.parametrize("mixture", ALL)
def test_a_step_is_a_function_of_seed_and_step(mixture: str) -> None:
    def facts(seed: int, number: int) -> list[Any]:
        forwards = [update.passes[0].forward for update in step(differentiable(flat(*[5] * 9), mixture), number, seed)]
        return [[(s.active, None if s.weights is None else s.weights.tolist()) for s in f.values()] for f in forwards]

    assert facts(0, 1) == facts(0, 1)
    if mixture not in ("softmax", "sum"):
        assert facts(0, 1)[0] != facts(1, 1)[0] != facts(1, 2)[0]
        assert facts(0, 1)[1] != facts(1, 1)[1] != facts(1, 2)[1]


def test_an_unknown_metric_is_refused_before_training() -> None:
    with pytest.raises(UsageError, match="'mac'; did you mean 'macs'"):
        differentiable(cell_costs(), "gdas", hardware=(HardwareConfig(metric="mac"),))
