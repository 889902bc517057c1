"""What is gathered from paths, and which lines of a log count."""

from __future__ import annotations

from pathlib import Path

import pytest

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.comparison import Comparison
from nascli.artifacts.history import History
from nascli.artifacts.supernet import SupernetCheckpoint
from nascli.commands.reporting.material import gather, log_of
from nascli.errors import ArtifactError

from .helpers import comparison, complete, history, line, log, pipeline, space
from .helpers import data as source


def test_a_folder_and_its_files_are_the_same(tmp_path: Path) -> None:
    pipeline(tmp_path)
    whole, twice = gather([tmp_path]), gather([tmp_path, tmp_path / "arch.npy"])
    assert [a.kind for a in whole.artifacts] == [a.kind for a in twice.artifacts]
    assert len(whole.artifacts) == 6


def test_side_files_are_found_beside_what_is_named(tmp_path: Path) -> None:
    pipeline(tmp_path)
    found = gather([tmp_path / "arch.npy", tmp_path / "report.json"])
    assert [a.path.name for a in found.artifacts if a.path] == [
        "arch.npy", "report.json", "arch.history.h5", "report.mistakes.h5",
    ]  # fmt: skip


def test_runs_of_a_comparison_are_not_shown_one_by_one(tmp_path: Path) -> None:
    pipeline(tmp_path)
    (tmp_path / "arch.npy").rename(tmp_path / "random-seed0.npy")
    (tmp_path / "arch.history.h5").rename(tmp_path / "random-seed0.history.h5")
    complete(comparison(space()), {}).write(tmp_path / "compare.json")
    found = gather([tmp_path])
    assert (len(found.of(Comparison)), found.of(Architecture), found.of(History)) == (1, [], [])
    assert "3 searches of the comparison" in found.missing[0]
    assert len(gather([tmp_path / "random-seed0.npy"]).of(History)) == 1


def test_what_cannot_be_read_in_a_folder_is_a_line(tmp_path: Path) -> None:
    complete(history(space(), source()), {}).write(tmp_path / "arch.history.h5")
    (tmp_path / "broken.npy").write_bytes(b"nothing")
    (tmp_path / "package.json").write_text("{}")
    lines = [text for text in gather([tmp_path]).missing if str(tmp_path) in text]
    assert len(lines) == 2
    with pytest.raises(ArtifactError):
        gather([tmp_path / "broken.npy"])


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no artifact is there"):
        gather([tmp_path])


def test_of_a_log_the_last_run_counts_and_what_was_done_twice_counts_once(tmp_path: Path) -> None:
    pipeline(tmp_path)
    path = tmp_path / "supernet.pt"
    given_up = [{"event": "start", "step": 0}, line(10), line(20)]
    log(
        path,
        [*given_up, *given_up, {"event": "resume", "step": 10}, {"event": "start", "step": 10}, line(20), line(30)],
    )
    kept = log_of(SupernetCheckpoint.open(path))
    assert kept is not None
    assert [entry["step"] for entry in kept] == [10, 20, 30]


def test_without_a_log_there_is_none(tmp_path: Path) -> None:
    pipeline(tmp_path)
    assert log_of(gather([tmp_path / "lut.h5"]).artifacts[0]) is None
