"""`lut.txt` of NNI."""

from __future__ import annotations

from pathlib import Path

import pytest

from nascli.component import resolve
from nascli.cost.blocks import Blocks
from nascli.cost.formats.nni import read
from nascli.cost.measurements import Row, Wanted
from nascli.errors import ArtifactError, UsageError
from tests.conftest import Write

BLOCKS: Blocks = resolve("search_space", {"use": "fbnet_s", "strides": "cifar"}).build().cost_blocks()

LINES = """\
{'op_name': 'k3_e1', 'op_data_shape': (32, 32, 16, 16, 1), 'op_dtype': 'float', 'op_latency': 310.5}
{'op_name': 'ir_k5_s2', 'op_data_shape': (32, 32, 16, 16, 1), 'op_dtype': 'float', 'op_latency': 200}

{'op_name': 'ir_k5_e6', 'op_data_shape': (32, 32, 24, 32, 2), 'op_dtype': 'float', 'op_latency': 500.0},
{'op_name': 'k5_e6', 'op_data_shape': (32, 32, 24, 32, 2), 'op_dtype': 'int8', 'op_latency': 1.0}
{'op_name': 'skip', 'op_data_shape': (32, 32, 16, 16, 1), 'op_dtype': 'float', 'op_latency': 3.5}
{'op_name': 'stem', 'op_data_shape': (32, 32, 3, 16, 1), 'op_dtype': 'float', 'op_latency': 40.0}
{'op_name': 'k7_e6', 'op_data_shape': (32, 32, 24, 32, 2), 'op_dtype': 'float', 'op_latency': 9.0}
"""


def rows(path: Path, unit: str | None = "us") -> dict[str, Row]:
    shapes = {block.id: f"{block.name} {block.shape}" for block in BLOCKS.blocks}
    return {shapes[str(row.block)]: row for row in read(path, BLOCKS, Wanted("latency_ms@desk", unit))}


def test_lines_are_blocks_by_name_and_shape(write: Write) -> None:
    found = rows(write("lut.txt", LINES))
    assert {name: row.value for name, row in found.items()} == {
        "mobile_k3_e1 (16, 32, 32)": 310.5,
        "mobile_k5_e1_g2 (16, 32, 32)": 200,
        "mobile_k5_e6 (24, 32, 32)": 500.0,
        "skip (16, 32, 32)": 3.5,
        "stem (3, 32, 32)": 40.0,
    }
    assert found["mobile_k5_e6 (24, 32, 32)"].where == "line 4"


def test_the_unit_must_be_said(write: Write) -> None:
    with pytest.raises(UsageError, match="does not say its unit") as caught:
        rows(write("lut.txt", LINES), None)
    assert "--unit us" in caught.value.hint


@pytest.mark.parametrize("line", ["{", "3", "{'op_name': 'k3_e1'}", "__import__('os')", "{'op_data_shape': 3}"])
def test_a_line_of_another_form_is_named(write: Write, line: str) -> None:
    with pytest.raises(ArtifactError, match=r"line 9 is no entry of a lut\.txt"):
        rows(write("lut.txt", f"{LINES}{line}\n"))


def test_an_operator_twice_is_named(write: Write) -> None:
    with pytest.raises(ArtifactError, match=r"line 9: skip .* stands twice, first in line 6"):
        rows(write("lut.txt", LINES + LINES.splitlines()[5] + "\n"))
