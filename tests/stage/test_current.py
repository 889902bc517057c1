"""What a result needs to be current: the files that its run wrote beside it, and what was decided under the lock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.base import Artifact, read_header
from nascli.artifacts.history import History
from nascli.artifacts.lock import exclusive
from nascli.config import Config
from nascli.errors import ArtifactError, UsageError
from nascli.run import Run
from nascli.stage import execution, stage, stage_of
from nascli.stage.execution import How, execute
from tests.artifacts.helpers import architecture, history

calls: list[str] = []
CURRENT = How(skip_if_current=True)


@stage("toy", examples=[], sides=[".history.h5", ".generator.pt"])
def toy(config: Config, run: Run) -> Architecture:
    """A search that finds what it always finds."""
    calls.append(run.path.name)
    run.save("history", history())
    return architecture()


def made(path: Path, how: How | None = None) -> tuple[Artifact[Any], bool]:
    return execute(stage_of(toy), Config(), {}, path, how)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A result with its history."""
    made(tmp_path / "arch.npy")
    calls.clear()
    return tmp_path / "arch.npy"


def test_a_result_names_the_files_beside_it_outside_its_digest(path: Path) -> None:
    header = read_header(path)
    beside = read_header(path.with_name("arch.history.h5"))
    assert header.provenance["sides"] == {".history.h5": beside.digest}
    assert header.model_copy(update={"provenance": {}}).compute_digest() == header.digest


def test_with_its_side_files_it_is_kept(path: Path) -> None:
    assert made(path, CURRENT)[1] is False
    assert calls == []


def missing(side: Path) -> None:
    side.unlink()


def broken(side: Path) -> None:
    side.write_bytes(b"no history")


def another(side: Path) -> None:
    History(history(n=3).payload).write(side)


@pytest.mark.parametrize(
    ("lose", "why"), [(missing, "is missing"), (broken, "cannot be read"), (another, "is of another run")]
)
def test_without_them_it_is_made_anew_and_that_is_said(
    path: Path, lose: Any, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lose(side := path.with_name("arch.history.h5"))
    assert made(path, CURRENT)[1] is True
    assert f"{side} {why}: {path} is made anew" in capsys.readouterr().err.replace("\n", "")
    assert made(path, CURRENT)[1] is False


@pytest.mark.parametrize("sides", [None, "x", {"/../x": "y"}])
def test_results_that_name_none_are_current_without_any(path: Path, sides: Any) -> None:
    result = Architecture.open(path)
    assert result.payload
    result.header = result.header.model_copy(update={"provenance": {"sides": sides}})
    result.write(path)
    path.with_name("arch.history.h5").unlink()
    assert made(path, CURRENT)[1] is False


def finished_meanwhile(folder: Path, path: Path) -> AbstractContextManager[None]:
    """The lock, which another process gave back at this moment: its result is there now."""

    @contextmanager
    def lock() -> Iterator[None]:
        architecture((1, 1, 1)).write(path)
        with exclusive(folder, path):
            yield

    return lock()


def test_a_result_that_came_while_the_lock_was_taken_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "exclusive", finished_meanwhile)
    for how in (How(), How(resume=True)):
        with pytest.raises(UsageError, match=r"arch\.npy exists"):
            made(tmp_path / "arch.npy", how)
        assert Architecture.open(tmp_path / "arch.npy").payload.arch == (1, 1, 1)
        assert not (tmp_path / "arch.npy.run").exists()
        (tmp_path / "arch.npy").unlink()


def test_a_current_result_that_came_while_the_lock_was_taken_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execution, "exclusive", finished_meanwhile)
    found, new = made(tmp_path / "arch.npy", CURRENT)
    assert (found.payload.arch, new) == ((1, 1, 1), False)


def test_a_held_lock_refuses_whoever_would_write_and_nobody_else(path: Path) -> None:
    with exclusive(path.with_name("arch.npy.run"), path):
        with pytest.raises(ArtifactError, match="in use by process"):
            made(path, How(force=True))
        with pytest.raises(UsageError, match="exists"):
            made(path)
        assert made(path, CURRENT)[1] is False
    assert calls == []


def test_a_refusal_leaves_no_lock_behind(path: Path) -> None:
    with pytest.raises(UsageError, match="exists"):
        made(path)
    assert sorted(p.name for p in path.parent.iterdir()) == ["arch.history.h5", "arch.npy"]
