"""Trainings by users' mutators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nascli.run import Run
from nascli.supernet.base import Supernet
from nascli.testing import TrainingStrategyContract
from nascli.testing.randomness import no_global_randomness
from nascli.training_agent.supernet_training import train_supernet
from nascli.training_strategy.adapted import adapted
from nascli.training_strategy.mutator import RandomMutator
from nascli.training_strategy.uniform import Uniform
from tests.training_agent.helpers import Crash, CutRun, setup, supernet_job, tiny, training

from .mutators import Darts, Enas, GuideMutator, ready

JOBS = {
    "as in the guide": supernet_job(adapted(GuideMutator)),
    "random": supernet_job(adapted(RandomMutator)),
    "darts": supernet_job(adapted(Darts), epochs=6),
    "enas": supernet_job(adapted(Enas), epochs=6),
}

SHORT = supernet_job(adapted(GuideMutator), epochs=1)


@pytest.mark.parametrize("job", JOBS)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(job: str, tmp_path: Path) -> None:
    whole = JOBS[job](Run(tmp_path / "whole.pt"))
    interrupted = CutRun(tmp_path / "out.pt")
    interrupted.cut = "between checkpoints"
    with pytest.raises(Crash):
        JOBS[job](interrupted)
    with torch.random.fork_rng():
        torch.manual_seed(99)
        np.random.seed(99)
        resumed = JOBS[job](Run(tmp_path / "out.pt", resume=True))
    for name, value in whole.payload.state_dict.items():
        assert torch.equal(value, resumed.payload.state_dict[name]), name
    assert resumed.header.digest == whole.header.digest


def test_training_leaves_the_global_generators_alone(tmp_path: Path) -> None:
    with no_global_randomness():
        SHORT(Run(tmp_path / "out.pt"))


def test_another_seed_samples_other_architectures(tmp_path: Path) -> None:
    found = []
    for seed in (0, 1):
        strategy = ready(GuideMutator)
        next(strategy.updates(0, Run(tmp_path / "out.pt", seed=seed).rng("path", 0)))
        found.append([int(values.nonzero()) for values in strategy.mutator.applied.values()])
    assert found[0] != found[1]


def test_parameters_of_a_mutator_are_in_the_result(tmp_path: Path) -> None:
    trained, summary = train_supernet(tiny(), adapted(Darts)(), setup(Run(tmp_path / "out.pt")), training(epochs=1))
    assert summary["steps"] == 3, "the arch split is withheld from the training images"
    assert set(trained.arch_parameters) == {f"alphas.layer_{i:02d}" for i in range(6)}
    assert trained.strategy["module"].keys() == trained.arch_parameters.keys()
    assert not any(name.startswith("chooser") or "alpha" in name for name in trained.state_dict)


def test_a_strategy_is_bound_once_to_the_supernet_after_its_setup(tmp_path: Path) -> None:
    bound: list[Any] = []

    class Watching(Uniform):
        def bind(self, module: nn.Module) -> None:
            bound.append((module, self.space.fingerprint, torch.initial_seed()))

        def arch_parameters(self) -> dict[str, nn.Parameter]:
            assert bound, "parameters may be made by bind"
            return {}

    run = Run(tmp_path / "out.pt")
    train_supernet(tiny(), Watching(), setup(run), training(epochs=1))
    ((module, fingerprint, seed),) = bound
    assert isinstance(module, Supernet)
    assert (fingerprint, seed) == (tiny().space.fingerprint, run.torch_seed("init"))


class TestGuideMutator(TrainingStrategyContract):
    make = adapted(GuideMutator)


class TestDarts(TrainingStrategyContract):
    make = adapted(Darts)


class TestEnas(TrainingStrategyContract):
    make = adapted(Enas)
