"""Trainings by the other library's samplers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nascli.cost.feasible import FeasibleSet
from nascli.run import Run
from nascli.supernet.base import Supernet
from nascli.testing import TrainingStrategyContract
from nascli.training_agent.supernet_training import train_supernet
from nascli.training_strategy.adapted import adapted
from tests.training_agent.helpers import Crash, CutRun, batch, fresh, setup, supernet_job, tiny, training, updater

from .samplers import FairSampler, GumbelSampler, SoftmaxSampler, UniformSampler, ready


def test_training_agents_train_the_parameters_of_every_kind_of_mixture() -> None:
    for state in ("softmax", "gumbel_softmax", "sum"):

        class Mixed(SoftmaxSampler):
            state = ""

            def step(self):
                self.model.set_forward_state(self.state)

        Mixed.state = state
        module: Supernet = fresh(tiny().supernet)
        strategy = ready(Mixed, FeasibleSet(tiny().lookup_table([]), []))
        arch = list(strategy.arch_parameters().values())
        before = [alpha.detach().clone() for alpha in arch]
        runner = updater(module, arch)
        for update in strategy.updates(0, np.random.default_rng(0)):
            runner.run(update, batch())
            if update.params == "weights":
                break
        assert all(not torch.equal(alpha, old) for alpha, old in zip(arch, before, strict=True)), state


JOBS = {
    "uniform": supernet_job(adapted(UniformSampler)),
    "fair": supernet_job(adapted(FairSampler)),
    "gumbel": supernet_job(adapted(GumbelSampler), epochs=6),
}


@pytest.mark.parametrize("job", JOBS)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(job: str, tmp_path: Path) -> None:
    whole = JOBS[job](Run(tmp_path / "whole.pt"))
    interrupted = CutRun(tmp_path / "out.pt")
    interrupted.cut = "between checkpoints"
    with pytest.raises(Crash):
        JOBS[job](interrupted)
    resumed = JOBS[job](Run(tmp_path / "out.pt", resume=True))
    for name, value in whole.payload.state_dict.items():
        assert torch.equal(value, resumed.payload.state_dict[name]), name
    assert resumed.header.digest == whole.header.digest


def test_architecture_parameters_are_in_the_result_by_label(tmp_path: Path) -> None:
    trained, _ = train_supernet(tiny(), adapted(SoftmaxSampler)(), setup(Run(tmp_path / "o.pt")), training(epochs=1))
    assert {name: len(alpha) for name, alpha in trained.arch_parameters.items()} == {
        f"layer_{i:02d}": 5 for i in range(6)
    }


class Sized(FairSampler):
    """Fair where the sizes differ: the guide's samplers know the largest alone."""

    def architecture(self):
        return [index % size for index, size in zip(super().architecture(), self.model.space.sizes, strict=True)]


class TestFair(TrainingStrategyContract):
    make = adapted(Sized)


class TestSoftmax(TrainingStrategyContract):
    make = adapted(SoftmaxSampler)


class TestGumbel(TrainingStrategyContract):
    make = adapted(GumbelSampler)
