"""The lock of an output, whose holder may end at any moment."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from nascli.artifacts.lock import NAME, exclusive
from nascli.errors import ArtifactError


def test_a_lock_is_gone_with_its_empty_folder(tmp_path: Path) -> None:
    with exclusive(tmp_path / "run", tmp_path / "s.pt"):
        assert (tmp_path / "run" / NAME).read_text() == str(os.getpid())
        with pytest.raises(ArtifactError, match=rf"s\.pt is in use by process {os.getpid()}"):
            exclusive(tmp_path / "run", tmp_path / "s.pt").__enter__()
    assert not (tmp_path / "run").exists()


def test_a_lock_whose_holder_ends_just_then_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It removes the file between our opening it and our locking it, and its folder between our making and using it."""
    folder, left = tmp_path / "run", exclusive(tmp_path / "run", tmp_path / "s.pt")
    left.__enter__()
    real, opened, ended = fcntl.flock, Path.open, []

    def flock(*arguments: Any) -> None:
        if not ended:
            ended.append(left.__exit__(None, None, None))
        real(*arguments)

    def opens(path: Path, *arguments: Any, **options: Any) -> Any:
        if len(ended) == 1:
            ended.append(folder.rmdir())
        return opened(path, *arguments, **options)

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(Path, "open", opens)
    with exclusive(folder, tmp_path / "s.pt"):
        assert len(ended) == 2
        assert (folder / NAME).read_text() == str(os.getpid())
