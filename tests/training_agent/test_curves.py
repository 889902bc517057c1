from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nascli.errors import UsageError
from nascli.run import Run
from nascli.training_agent.curves import Curves
from nascli.training_agent.jobs import retrain

from .helpers import ARCH, setup, tiny, training


@pytest.fixture
def no_tensorboard(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is missing, whatever is installed."""
    for name in ("torch.utils.tensorboard", "tensorboard"):
        monkeypatch.setitem(sys.modules, name, None)


def test_without_a_folder_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_tensorboard: None
) -> None:
    monkeypatch.chdir(tmp_path)
    curves = Curves(None)
    curves.add(1, loss=0.5, tau=None)
    curves.close()
    assert list(tmp_path.iterdir()) == []


def test_what_to_install_is_said_where_tensorboard_is_missing(tmp_path: Path, no_tensorboard: None) -> None:
    with pytest.raises(UsageError, match="TensorBoard is not installed") as caught:
        Curves(tmp_path / "curves")
    assert "pip install 'nascli[tensorboard]'" in caught.value.hint
    assert not (tmp_path / "curves").exists()


def test_a_training_without_tensorboard_is_refused_before_its_first_step(tmp_path: Path, no_tensorboard: None) -> None:
    run = Run(tmp_path / "m.pt")
    with pytest.raises(UsageError, match="TensorBoard is not installed"):
        retrain(tiny(), ARCH, setup(run), training(tensorboard=True, checkpoint_steps=1))
    assert not list(tmp_path.rglob("last.*"))
