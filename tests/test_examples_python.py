"""The examples in Python: each runs, and stays short."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nascli.artifacts.lookup_table import LookupTable
from nascli.cli import run
from nascli.component import resolve
from nascli.cost.macs import Macs
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


@pytest.mark.parametrize("name", ["mutator.py", "darts_trainer.py", "measure_blocks.py"])
def test_an_example_is_short(name: str) -> None:
    lines = (ROOT / "examples" / name).read_text().splitlines()
    assert len([line for line in lines if line.strip() and not line.lstrip().startswith("#")]) < MOST_LINES


def test_the_macs_of_the_example_network_are_those_of_the_table_for_every_architecture() -> None:
    space = resolve("search_space", {"use": f"{ROOT}/examples/my_model.py:MyModel"}).build()
    table = space.lookup_table([Macs()])
    for arch in product(range(3), repeat=3):
        expected = table.total("macs", np.array(arch))[0]
        assert Macs().measure(space.model(arch), space.space.input_shape) == expected


def test_the_device_example_measures_what_was_exported(tmp_path: Path) -> None:
    folder, lut = tmp_path / "blocks", tmp_path / "lut.h5"
    tiny = ["--search-space", "tiny", "--set", "search_space.width=4"]
    assert run(["export-blocks", *tiny, "--networks", "12", "-q", "-o", str(folder)]) == 0
    subprocess.run([sys.executable, str(ROOT / "examples/measure_blocks.py"), str(folder), "3"], check=True)
    table = [str(folder / "measurements.csv"), "--metric", "latency_ms", "--device", "here", "-o", str(lut)]
    assert run(["import-measurements", *table, "-q"]) == 0
    column = LookupTable.open(lut).payload.columns["latency_ms@here"]
    assert column.evidence is not None
    assert (column.evidence.samples >= 0).all()
    assert column.evidence.samples.any()
    assert column.evidence.networks.shape == (1, 12)
    assert column.error is not None


def test_the_script_for_cifar10_asks_for_its_data() -> None:
    done = subprocess.run(["bash", str(ROOT / "examples/cifar10.sh")], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "the folder with the two zips" in done.stderr
