from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nascli.component import resolve
from nascli.config import Origin
from nascli.errors import RunFailed
from nascli.search_space.tiny import Tiny

torch.set_num_threads(1)

FILE = '''
def energy_mj(module, input):
    """Made up: one for each number that comes out."""
    return module(input).numel()


def odd(module, input):
    return 1.0


def broken(module, input):
    return float("nan")


def below(module, input):
    return -1
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "board.py").write_text(FILE)
    return tmp_path


def test_a_function_is_a_meter_with_its_name_and_unit(folder: Path) -> None:
    meter = resolve(
        "meter", {"use": "./board.py:energy_mj", "batch": 3, "device": "board"}, Origin(base=folder)
    ).build()
    assert (meter.metric, meter.unit, meter.exact) == ("energy_mj@board", "mJ", False)
    assert meter.measure(torch.nn.Conv2d(3, 4, 1), (3, 5, 5)) == 3 * 4 * 25


def test_a_name_without_a_unit_has_none(folder: Path) -> None:
    meter = resolve("meter", "./board.py:odd", Origin(base=folder)).build()
    assert (meter.metric, meter.unit) == ("odd", "1")


def test_a_table_comes_of_it_with_its_error_on_whole_networks(folder: Path) -> None:
    meter = resolve("meter", {"use": "./board.py:odd", "rounds": 3, "budget_s": 0.1}, Origin(base=folder)).build()
    metric = Tiny(Tiny.Config(width=4)).lookup_table([meter])["odd"]
    assert metric.error == pytest.approx(0, abs=1e-6)  # every network costs 1, and the table learns it
    assert metric.total(np.array([[1] * 6])) == pytest.approx(1)


@pytest.mark.parametrize(("name", "found"), [("broken", "nan"), ("below", "-1.0")])
def test_what_is_no_cost_is_refused(folder: Path, name: str, found: str) -> None:
    meter = resolve("meter", f"./board.py:{name}", Origin(base=folder)).build()
    with pytest.raises(RunFailed) as caught:
        meter.measure(torch.nn.Conv2d(3, 4, 1), (3, 5, 5))
    assert caught.value.what == f"{name} gave {found} for Conv2d (3, 5, 5)"
