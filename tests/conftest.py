"""What all tests share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def nascli(tmp_path: Path) -> Command:
    """Runs the command line in a process of its own, in the test's folder."""

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "nascli", *arguments]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120", **env}
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)

    return run
