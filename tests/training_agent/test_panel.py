from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nascli.cost.constraint import Constraint
from nascli.cost.feasible import FeasibleSet
from nascli.cost.macs import Macs
from nascli.engine import Engine
from nascli.errors import ConfigError
from nascli.run import Run
from nascli.training_agent.loop import Trainer
from nascli.training_agent.panel import Panel, PanelOptions, kendall, members
from nascli.training_agent.supernet_training import Plan, train_supernet
from nascli.training_strategy.base import Pass, TrainingStrategy, Update, Updates
from nascli.training_strategy.uniform import Uniform

from .helpers import ARCH, Crash, CutRun, events, flow, fresh, setup, state_of, tiny, training

OPTIONS = PanelOptions(4, 1, 16)


class Plainly(TrainingStrategy):
    """One path, always the same."""

    def updates(self, step: int, rng: Any) -> Updates:
        yield Update([Pass(tiny().space.forward(ARCH))])


def feasible(*constraints: str) -> FeasibleSet:
    return FeasibleSet(tiny().lookup_table([Macs()]), [Constraint.parse(text) for text in constraints])


def panel(folder: Path) -> Panel:
    return Panel(feasible(), setup(Run(folder / "s.pt")), OPTIONS, Engine("cpu"))


def test_members_are_different_and_within_the_constraint() -> None:
    limited = feasible("macs<=30e3")
    archs = members(limited, 6, seed=3)
    assert len(np.unique(archs, axis=0)) == 6
    assert limited.contains(archs).all()


def test_the_cheapest_and_the_dearest_of_many_come_first() -> None:
    whole = feasible()
    costs = whole.model.total("macs", members(whole, 5, seed=0))
    assert costs[0] == costs.min()
    assert costs[1] == costs.max()


def test_a_panel_of_a_small_set_has_all_of_it() -> None:
    least = int(feasible().bounds("macs")[0])
    assert len(members(feasible(f"macs<={least}"), 5, seed=0)) == 1


def test_an_evaluation_leaves_the_trained_module_alone(tmp_path: Path) -> None:
    module = fresh(tiny().supernet)
    before = state_of(module)
    found = panel(tmp_path).evaluate(module, 7)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert found["step"] == 7
    assert 0 <= found["mean"] <= 1
    assert found["tau"] is None
    assert all(part.training for part in module.modules())
    assert all(p.grad is None for p in module.parameters())


def test_mean_and_spread_are_of_the_scores_that_each_network_has_by_itself(tmp_path: Path) -> None:
    watched, module = panel(tmp_path), fresh(tiny().supernet)
    found = watched.evaluate(module, 1)
    apart = []
    for arch in watched.archs:
        watched.archs = arch[None]
        apart.append(watched.evaluate(module, 1)["mean"])
    assert found["mean"] == pytest.approx(np.mean(apart))
    assert found["spread"] == pytest.approx(np.std(apart))


def test_statistics_of_the_mixed_training_do_not_count(tmp_path: Path) -> None:
    module = fresh(tiny().supernet)
    expected = panel(tmp_path).evaluate(module, 1)
    for name, buffer in module.named_buffers():
        if name.endswith("running_mean"):
            buffer.add_(1e3)
    watched = panel(tmp_path)
    assert watched.evaluate(module, 1) == expected
    assert expected["spread"] > 0


def test_the_second_round_knows_how_the_ranking_changed(tmp_path: Path) -> None:
    watched, module = panel(tmp_path), fresh(tiny().supernet)
    watched.evaluate(module, 1)
    watched.accuracies = [0.1, 0.2, 0.3, 0.4]
    found = watched.evaluate(module, 2)
    assert found["tau"] == kendall([0.1, 0.2, 0.3, 0.4], watched.accuracies)


def test_a_ranking_of_equals_has_no_tau() -> None:
    assert kendall([0.5, 0.5], [0.1, 0.2]) is None
    assert kendall([0.1, 0.2, 0.3], [1.0, 2.0, 3.0]) == pytest.approx(1.0)


def test_the_scores_of_one_network_rank_nothing() -> None:
    assert kendall([0.5], [0.7]) is None


def test_it_is_due_after_every_few_epochs_and_at_the_end(tmp_path: Path) -> None:
    watched = Panel(feasible(), setup(Run(tmp_path / "s.pt")), PanelOptions(2, 2, 16), Engine("cpu"))
    assert [step for step in range(1, 16) if watched.is_due(step, 3, 15)] == [6, 12, 15]


def test_an_interrupted_training_with_a_panel_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    def trained(run: Run) -> Any:
        run.start()
        return train_supernet(tiny(), Uniform(), setup(run), training(), Plan(panel=OPTIONS))

    whole, summary = trained(Run(tmp_path / "whole.pt"))
    cut = CutRun(tmp_path / "cut.pt")
    cut.cut = "after a checkpoint"
    with pytest.raises(Crash):
        trained(cut)
    resumed, again = trained(Run(tmp_path / "cut.pt", resume=True))
    assert again == summary
    assert len(summary["panel_rounds"]) == 3
    assert all(torch.equal(value, resumed.state_dict[name]) for name, value in whole.state_dict.items())


def test_rounds_are_logged(tmp_path: Path) -> None:
    run = Run(tmp_path / "s.pt")
    run.start()
    train_supernet(tiny(), Uniform(), setup(run), training(epochs=1), Plan(panel=OPTIONS))
    (found,) = events(tmp_path, "panel")
    assert found["step"] == 6
    assert {"mean", "spread", "tau"} < found.keys()


def test_a_moving_average_is_what_is_judged(tmp_path: Path) -> None:
    told = training(epochs=1, ema_decay=0.5)
    trainer = Trainer(fresh(tiny().supernet), Plainly(), setup(Run(tmp_path / "s.pt")), told, panel=panel(tmp_path))
    judged: list[Any] = []

    def evaluate(module: Any, step: int) -> dict[str, Any]:
        judged.append(module)
        return {"step": step, "mean": 0.0, "spread": 0.0, "tau": None}

    trainer.panel.evaluate = evaluate  # type: ignore[union-attr, method-assign]
    trainer.fit()
    assert judged == [trainer.ema.module]  # type: ignore[union-attr]


def test_a_panel_without_validation_images_is_refused_before_training(tmp_path: Path) -> None:
    run, options = Run(tmp_path / "s.pt"), PanelOptions(4, 5, 16)
    given = setup(run, flow(valid_share=0))
    with pytest.raises(ConfigError, match="the split valid of the data set 'synthetic' has no images"):
        train_supernet(tiny(), Uniform(), given, training(epochs=20), Plan(panel=options))
    assert not run.folder.exists()
