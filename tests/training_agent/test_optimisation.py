from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from nascli.artifacts.torch_format import plain
from nascli.engine import Engine
from nascli.training_agent.optimisation import optimizer_of, restore_optimizer, schedule_of

from .helpers import batch, fresh, training


def network() -> nn.Module:
    """Its first convolution has another memory layout in channels_last than without."""
    pool = nn.AdaptiveAvgPool2d(1), nn.Flatten()
    made: nn.Module = fresh(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), *pool, nn.Linear(4, 4)))
    return made


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_only_matrices_and_kernels_are_decayed(optimizer: str) -> None:
    module = network()
    groups = optimizer_of([module], training(optimizer=optimizer, weight_decay=0.1), Engine("cpu")).param_groups
    decayed = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    found = {name: decayed[id(p)] for name, p in module.named_parameters()}
    assert found == {"0.weight": 0.1, "4.weight": 0.1, "0.bias": 0, "1.weight": 0, "1.bias": 0, "4.bias": 0}


def test_weights_of_a_criterion_are_trained_too() -> None:
    modules = nn.Linear(2, 2), nn.Linear(3, 3)
    groups = optimizer_of(modules, training(), Engine("cpu")).param_groups
    assert sum(len(group["params"]) for group in groups) == 4


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_restored_optimiser_takes_the_same_step_as_the_one_that_was_saved(optimizer: str) -> None:
    results = []
    for restored in (False, True):
        module, told = network(), training(optimizer=optimizer)
        current = optimizer_of([module], told, Engine("cpu"))
        for step in range(3):
            if restored and step == 2:
                state = plain(current.state_dict())
                current = optimizer_of([module], told, Engine("cpu"))
                restore_optimizer(current, state)
            current.zero_grad()
            module(batch().images).square().sum().backward()
            current.step()
        results.append(module.state_dict())
    assert all(torch.equal(results[0][name], value) for name, value in results[1].items())


def rates(epochs: int, warmup_epochs: float, steps_per_epoch: int, **options: Any) -> list[float]:
    """The learning rate of every step, as a share of the largest."""
    told = training(epochs=epochs, warmup_epochs=warmup_epochs, learning_rate=0.5, **options)
    optimizer = optimizer_of([network()], told, Engine("cpu"))
    schedule = schedule_of(optimizer, told, steps_per_epoch)
    found = []
    for _ in range(epochs * steps_per_epoch):
        found.append(optimizer.param_groups[0]["lr"] / 0.5)
        optimizer.step()
        schedule.step()
    return found


def test_the_rate_rises_in_a_line_and_falls_on_a_cosine() -> None:
    warmup = [0.25, 0.5, 0.75]
    cosine = [0.5 * (1 + math.cos(math.pi * step / 9)) for step in range(9)]
    assert rates(4, 1.0, 3) == pytest.approx(warmup + cosine)


def test_without_a_warm_up_the_rate_starts_at_its_largest() -> None:
    rising = 0.5 * math.cos(math.pi / 4)
    assert rates(2, 0.0, 2) == pytest.approx([1, 0.5 + rising, 0.5, 0.5 - rising])


@pytest.mark.parametrize(("epochs", "steps"), [(1, 1), (1, 2), (1, 3)])
def test_a_training_shorter_than_its_warm_up_has_a_rate_above_0_at_every_step(epochs: int, steps: int) -> None:
    assert all(0 < rate <= 1 for rate in rates(epochs, 5.0, steps))


def test_steps_fall_every_so_many_epochs_after_the_warm_up() -> None:
    found = rates(5, 1.0, 2, schedule="step", step_epochs=2, step_factor=0.5)
    assert found == pytest.approx([1 / 3, 2 / 3, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5])


def test_a_constant_rate_stays_after_the_warm_up() -> None:
    assert rates(3, 1.0, 2, schedule="constant") == pytest.approx([1 / 3, 2 / 3, 1, 1, 1, 1])


@pytest.mark.parametrize("warmup_epochs", [0.0, 1.0])
def test_the_cosine_ends_at_0_after_the_last_step(warmup_epochs: float) -> None:
    told = training(epochs=3, warmup_epochs=warmup_epochs)
    optimizer = optimizer_of([network()], told, Engine("cpu"))
    schedule = schedule_of(optimizer, told, 4)
    for _ in range(12):
        optimizer.step()
        schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.0, 0.0])
