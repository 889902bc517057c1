from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nascli.errors import UsageError
from nascli.run import Run
from nascli.training_agent.curves import Curves
from nascli.training_agent.jobs import retrain
from nascli.training_agent.panel import PanelOptions
from nascli.training_agent.supernet_training import Plan, train_supernet
from nascli.training_strategy.uniform import Uniform

from .helpers import ARCH, Crash, events, setup, tiny, training


@pytest.fixture
def no_tensorboard(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is missing, whatever is installed."""
    monkeypatch.setitem(sys.modules, "tensorboard", None)


def test_without_a_folder_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_tensorboard: None
) -> None:
    monkeypatch.chdir(tmp_path)
    with Curves(None) as curves:
        curves.add(1, loss=0.5, tau=None)
    assert list(tmp_path.iterdir()) == []


def test_what_to_install_is_said_where_tensorboard_is_missing(tmp_path: Path, no_tensorboard: None) -> None:
    with pytest.raises(UsageError, match="needs the package tensorboard") as caught:
        Curves(tmp_path / "curves")
    assert "leave tensorboard off" in caught.value.hint
    assert not (tmp_path / "curves").exists()


def curves_in(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The points of each curve that TensorBoard itself reads in a folder."""
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = reader.EventAccumulator(str(folder))
    found.Reload()
    return {name: [(e.step, e.value) for e in found.Scalars(name)] for name in found.Tags()["scalars"]}


def test_curves_are_what_the_log_says(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    options = training(tensorboard=True, epochs=10, checkpoint_steps=0)
    plan = Plan(panel=PanelOptions(size=3, epochs=4, images=8))
    train_supernet(tiny(), Uniform(), setup(Run(tmp_path / "out.pt")), options, plan)
    found = curves_in(tmp_path / "out.pt.run" / "tensorboard")
    for name in ("loss", "accuracy", "lr", "images_per_s"):
        logged = [(event["step"], event[name]) for event in events(tmp_path, "train")]
        assert [step for step, _ in found[name]] == [50, 60]
        assert [value for _, value in found[name]] == pytest.approx([value for _, value in logged], rel=1e-2)
    rounds = events(tmp_path, "panel")
    assert found["panel_mean"] == [(event["step"], pytest.approx(event["mean"])) for event in rounds]
    assert [step for step, _ in found["panel_tau"]] == [e["step"] for e in rounds if e["tau"] is not None]


class Dying(Run):
    """Dies at step 110, after a checkpoint at step 60 and a report at step 100."""

    def torch_seed(self, stream: str, step: int = 0) -> int:
        if step == 110:
            raise Crash
        return super().torch_seed(stream, step)


def test_a_resumed_training_goes_on_with_its_curves_where_its_checkpoint_was(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    options = training(tensorboard=True, epochs=20, checkpoint_steps=60)
    with pytest.raises(Crash):
        retrain(tiny(), ARCH, setup(Dying(tmp_path / "out.pt")), options)
    assert [step for step, _ in curves_in(tmp_path / "out.pt.run" / "tensorboard")["loss"]] == [50, 100]
    retrain(tiny(), ARCH, setup(Run(tmp_path / "out.pt", resume=True)), options)
    found = curves_in(tmp_path / "out.pt.run" / "tensorboard")
    assert [step for step, _ in found["loss"]] == [50, 100, 140]


def test_a_training_without_tensorboard_is_refused_before_its_first_step(tmp_path: Path, no_tensorboard: None) -> None:
    run = Run(tmp_path / "m.pt")
    with pytest.raises(UsageError, match="needs the package tensorboard"):
        retrain(tiny(), ARCH, setup(run), training(tensorboard=True, checkpoint_steps=1))
    assert not list(tmp_path.rglob("last.*"))
