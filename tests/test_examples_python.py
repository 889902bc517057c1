"""The examples in Python: each runs, and stays short."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import ROOT

MOST_LINES = 60


def answer(name: str) -> Any:
    """What an example prints."""
    command = [sys.executable, str(ROOT / "examples" / name)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    return json.loads(done.stdout)


def test_the_mutators_example_exports_a_mask_for_each_choice() -> None:
    found = answer("mutator.py")
    assert [len(found[key]) for key in ("block", "skip")] == [3, 2]
    assert sum(found["block"]) == 1


def test_the_trainers_example_exports_a_candidate_of_each_choice() -> None:
    found = answer("darts_trainer.py")
    assert found.keys() == {"first", "second"}
    assert found["first"] in {"conv1", "conv3", "conv5"}
    assert found["second"] in {"max", "average"}


@pytest.mark.parametrize("name", ["mutator.py", "darts_trainer.py"])
def test_an_example_is_short(name: str) -> None:
    lines = (ROOT / "examples" / name).read_text().splitlines()
    assert len([line for line in lines if line.strip() and not line.lstrip().startswith("#")]) < MOST_LINES
