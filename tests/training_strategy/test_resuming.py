"""Every strategy goes on where an interrupted training left off."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nascli.cost.model import CostModel
from nascli.run import Run
from nascli.space import Space
from nascli.supernet.choices import decisions_of
from nascli.training_agent.loop import Trainer
from nascli.training_strategy.base import TrainingStrategy
from nascli.training_strategy.constrained import Constrained
from nascli.training_strategy.differentiable import Differentiable
from nascli.training_strategy.fair import Fair
from nascli.training_strategy.hardware import HardwareConfig
from nascli.training_strategy.sandwich import Sandwich
from tests.training_agent.helpers import Crash, CutRun, events, fresh, setup, training

from .helpers import ALL, CELL, cell, cell_costs, ready, repeated

MADE: dict[str, Callable[[], TrainingStrategy]] = {
    "fair": Fair,
    "constrained": Constrained,
    "sandwich": lambda: Sandwich(Sandwich.Config(allow_unshared=True, random=1)),
}


def made(name: str) -> TrainingStrategy:
    if name in MADE:
        return MADE[name]()
    options = {"mixture": name, "arch_after": 0.2, "hardware": (HardwareConfig(metric="macs", target=150.0),)}
    return Differentiable(Differentiable.Config(**options))


def trained(name: str, run: Run) -> dict[str, Tensor]:
    """Weights, buffers and architecture parameters after 15 steps; 18 where the `arch` split is not withheld."""
    module, costs = fresh(repeated if name == "fair" else cell), cell_costs()
    if name == "fair":
        costs = CostModel(Space("repeated", decisions_of(module), (3, 8, 8), 4), {})
    strategy: Any = ready(made(name), costs, *([] if name == "fair" else ["macs<=250"]))
    strategy.total_steps = 15
    run.start()
    epochs = 5 if strategy.arch_parameters() else 3
    trainer = Trainer(module, strategy, setup(run), training(epochs=epochs, clip_grad=None))
    trainer.fit()
    return trainer.module.state_dict() | dict(strategy.arch_parameters())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The result of a training that nothing interrupted."""
    return cache(lambda name: trained(name, Run(tmp_path_factory.mktemp("whole") / "out.pt")))


@pytest.mark.parametrize("cut", ["after a checkpoint", "between checkpoints"])
@pytest.mark.parametrize("name", [*MADE, *ALL])
def test_a_resumed_training_equals_an_uninterrupted_one(name: str, cut: str, tmp_path: Path, whole: Any) -> None:
    run = CutRun(tmp_path / "out.pt")
    run.cut = cut
    with pytest.raises(Crash):
        trained(name, run)
    resumed = trained(name, Run(tmp_path / "out.pt", resume=True))
    assert [event["step"] for event in events(tmp_path, "resume")] == [8]
    assert resumed.keys() == whole(name).keys()
    for key, value in whole(name).items():
        assert torch.equal(resumed[key], value), key


@pytest.mark.parametrize("name", ALL)
def test_architecture_parameters_are_part_of_what_is_compared(name: str, whole: Any) -> None:
    assert all(whole(name)[decision.label].detach().std() > 0 for decision in CELL.decisions)
