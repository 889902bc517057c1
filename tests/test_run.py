from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nascli.artifacts.checkpoint import Checkpoint, Progress
from nascli.artifacts.header import Header
from nascli.artifacts.history import History, Trials
from nascli.errors import ArtifactError, ConfigError, UsageError
from nascli.run import Run

CONFIG: dict[str, Any] = {"epochs": 2, "shape": (1, 8, 8), "dataflow": {"use": "digits"}}
ONE = Header(kind="lookup-table", schema_version=1).sealed(())
TWO = Header(kind="lookup-table", schema_version=1, summary={"x": 1}).sealed(())


def run(tmp_path: Path, **options: Any) -> Run:
    return Run(tmp_path / "supernet.pt", **{"config": CONFIG, "inputs": {"lut": ONE}, **options})


def interrupted(tmp_path: Path, **options: Any) -> Run:
    """A run that was stopped after a checkpoint."""
    stopped = run(tmp_path, **options)
    stopped.start()
    stopped.checkpoint(Checkpoint(Progress(7, {"weight": torch.ones(2)})))
    return stopped


# --- start, checkpoint, restore, finish ------------------------------------------------------------------------------


def test_a_run_that_saved_nothing_is_started_anew(tmp_path: Path) -> None:
    run(tmp_path).start()
    run(tmp_path, resume=True).start()
    assert run(tmp_path, resume=True).restore(Checkpoint) is None


def test_an_unfinished_run_is_neither_resumed_nor_given_up_unasked(tmp_path: Path) -> None:
    interrupted(tmp_path)
    with pytest.raises(UsageError, match=r"supernet\.pt\.run holds an unfinished run") as caught:
        run(tmp_path).start()
    assert "--resume" in caught.value.hint
    assert "--force" in caught.value.hint
    assert (tmp_path / "supernet.pt.run/last.pt").exists()


def test_an_unfinished_run_is_given_up_by_force(tmp_path: Path) -> None:
    interrupted(tmp_path)
    run(tmp_path, config={"epochs": 9}).start(force=True)
    assert not (tmp_path / "supernet.pt.run/last.pt").exists()


def test_a_resumed_run_finds_what_was_saved(tmp_path: Path) -> None:
    interrupted(tmp_path)
    again = run(tmp_path, resume=True)
    again.start()
    found = again.restore(Checkpoint)
    assert found is not None
    assert (found.step, found.state["weight"].tolist()) == (7, [1, 1])


def test_a_run_that_does_not_resume_finds_nothing(tmp_path: Path) -> None:
    interrupted(tmp_path)
    assert run(tmp_path).restore(Checkpoint) is None


def test_a_checkpoint_is_of_one_kind(tmp_path: Path) -> None:
    interrupted(tmp_path)
    assert run(tmp_path, resume=True).restore(History) is None


def test_the_last_checkpoint_replaces_the_one_before(tmp_path: Path) -> None:
    stopped = interrupted(tmp_path)
    stopped.checkpoint(Checkpoint(Progress(8, {})))
    found = run(tmp_path, resume=True).restore(Checkpoint)
    assert found == Progress(8, {})


def test_a_history_is_a_checkpoint_too(tmp_path: Path) -> None:
    stopped, none = run(tmp_path), np.zeros(0)
    stopped.checkpoint(History(Trials(np.zeros((0, 3), dtype=np.int64), none, none, none.astype(int), {}, {})))
    found = run(tmp_path, resume=True).restore(History)
    assert found is not None
    assert found.archs.shape == (0, 3)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"config": {**CONFIG, "epochs": 3}}, "config.epochs changed"),
        ({"config": {**CONFIG, "dataflow": {"use": "synthetic"}}}, "config.dataflow changed"),
        ({"config": {**CONFIG, "new": None, "epochs": 3}}, "config.epochs changed"),
        ({"config": {"epochs": 2}}, "config.dataflow, config.shape changed"),
        ({"inputs": {"lut": TWO}}, "inputs.lut changed"),
        ({"inputs": {}}, "inputs.lut changed"),
        ({"inputs": {"lut": ONE, "init": ONE}}, "inputs.init changed"),
    ],
)
def test_a_run_of_other_settings_or_inputs_is_not_resumed(
    tmp_path: Path, change: dict[str, Any], expected: str
) -> None:
    interrupted(tmp_path)
    with pytest.raises(ConfigError) as caught:
        run(tmp_path, resume=True, **change).start()
    assert expected in caught.value.what
    assert "--force" in caught.value.hint
    assert (tmp_path / "supernet.pt.run/last.pt").exists()


def test_how_a_run_computes_may_change_when_it_is_resumed(tmp_path: Path) -> None:
    interrupted(tmp_path, options={**CONFIG, "threads": 1})
    again = run(tmp_path, resume=True, options={**CONFIG, "threads": 2})
    again.start()
    found = again.restore(Checkpoint)
    assert found is not None
    assert found.step == 7


def test_resuming_with_force_resumes_what_fits_and_gives_up_what_does_not(tmp_path: Path) -> None:
    interrupted(tmp_path)
    run(tmp_path, resume=True).start(force=True)
    assert (tmp_path / "supernet.pt.run/last.pt").exists()
    run(tmp_path, resume=True, config={}).start(force=True)
    assert not (tmp_path / "supernet.pt.run/last.pt").exists()


def test_a_checkpoint_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    path = interrupted(tmp_path).folder / "last.pt"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ArtifactError, match=r"last\.pt: cannot be read"):
        run(tmp_path, resume=True).start()


def test_other_versions_or_threads_than_those_of_the_checkpoint_are_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("nascli.artifacts.header._version", lambda package: "0.1")
        interrupted(tmp_path)
    assert run(tmp_path, resume=True).restore(Checkpoint) is not None
    warning = capsys.readouterr().err
    assert "warning: since the checkpoint" in warning
    assert f"torch 0.1 → {torch.__version__.partition('+')[0]}" in warning


def test_the_same_versions_are_not_worth_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    interrupted(tmp_path)
    run(tmp_path, resume=True).restore(Checkpoint)
    assert capsys.readouterr().err == ""


def test_a_finished_run_leaves_no_checkpoint(tmp_path: Path) -> None:
    stopped = interrupted(tmp_path)
    stopped.log(event="train")
    stopped.finish()
    assert sorted(path.name for path in stopped.folder.iterdir()) == ["log.jsonl", "run.json"]
    run(tmp_path).start()


def test_a_checkpoint_is_due_when_its_time_has_come_or_the_run_shall_stop(tmp_path: Path) -> None:
    one = run(tmp_path)
    assert not one.checkpoint_due(1e9)
    assert one.checkpoint_due(0)
    one.stopping = True
    assert one.checkpoint_due(1e9)
