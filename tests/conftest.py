"""What all tests share."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from nascli.console import out

settings.register_profile("nascli", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("nascli")

ROOT = Path(__file__).parents[1]

Command = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[[str, str], Path]
Lock = Callable[[Path], None]


@pytest.fixture(autouse=True)
def human() -> None:
    """Every test begins with an `out` that speaks to people, whatever command a test before it ran in this process."""
    out.speak(json=False)


@pytest.fixture
def nascli(tmp_path: Path) -> Command:
    """Runs the command line in a process of its own, in the test's folder."""

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "nascli", *arguments]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120", **env}
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)

    return run


@pytest.fixture
def in_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the command line as `nascli` does, without the seconds that a process of its own takes to start."""
    from nascli import cli

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            for name, value in {"COLUMNS": "120", **env}.items():
                patch.setenv(name, value)
            code = cli.run(list(arguments))
        return subprocess.CompletedProcess(arguments, code, *capsys.readouterr())

    return run


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a text file into the test's folder."""

    def put(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return put


@pytest.fixture
def lock(monkeypatch: pytest.MonkeyPatch) -> Lock:
    """Makes a folder one that cannot be listed, for root too."""

    def put(folder: Path) -> None:
        def listed(there: Callable[[Any], Any], path: Any = ".") -> Any:
            if not isinstance(path, int) and Path(os.fsdecode(path)) == folder:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return there(path)

        for name in ("scandir", "listdir"):
            monkeypatch.setattr(os, name, partial(listed, getattr(os, name)))

    return put
