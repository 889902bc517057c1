"""Operator tables of HW-NAS-Bench for FBNet."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from nascli.component import resolve
from nascli.cost.blocks import Blocks
from nascli.cost.formats.hw_nas_bench import read
from nascli.cost.importing import imported
from nascli.cost.measurements import Row, Wanted, checked
from nascli.errors import ArtifactError, UsageError
from tests.conftest import Write

CIFAR = resolve("search_space", {"use": "fbnet_s", "strides": "cifar", "classes": 100}).build()
BLOCKS: Blocks = CIFAR.cost_blocks()
WANTED = Wanted("latency_ms@pixel3")

SMALL = {
    "ConvNorm_H32_W32_Cin3_Cout16_kernel3_stride1_group1": 1.5,
    "ConvBlock_H32_W32_Cin16_Cout16_exp1_kernel3_stride1_group1": 2.0,
    "ConvBlock_H32_W32_Cin16_Cout16_exp1_kernel3_stride1_group2": 2.25,
    "ConvBlock_H32_W32_Cin24_Cout32_exp6_kernel5_stride2_group1": 4.0,
    "Skip_H32_W32_Cin16_Cout16_stride1": 0.125,
    "Skip_H8_W8_Cin112_Cout184_stride2": 0.5,
    "AvgP_H4_W4_Cin1504_Cout1504_kernel4_stride1": 0.75,
    "FC_Cin1504_Cout100": 0.0625,
    "ConvBlock_H7_W7_Cin3_Cout5_exp1_kernel3_stride1_group1": 99.0,
}


def rows(path: Path, wanted: Wanted = WANTED) -> dict[str, Row]:
    """By the name and the input of the block."""
    shapes = {block.id: f"{block.name} {block.shape}" for block in BLOCKS.blocks}
    return {shapes[str(row.block)]: row for row in read(path, BLOCKS, wanted)}


def test_operators_are_the_blocks_of_fbnet(write: Write) -> None:
    found = rows(write("tables.json", json.dumps({"pixel3_latency": SMALL, "fpga_energy": {}})))
    assert {name: row.value for name, row in found.items()} == {
        "stem (3, 32, 32)": 1.5,
        "mobile_k3_e1 (16, 32, 32)": 2.0,
        "mobile_k3_e1_g2 (16, 32, 32)": 2.25,
        "mobile_k5_e6 (24, 32, 32)": 4.0,
        "skip (16, 32, 32)": 0.125,
        "skip (112, 8, 8)": 0.5,
        "pool (1504, 4, 4)": 0.75,
        "classifier (1504, 1, 1)": 0.0625,
    }
    assert {row.unit for row in found.values()} == {"ms"}


def operators(archs: np.ndarray) -> Iterator[tuple[str, int | None, int | None]]:
    """(key, layer, index): every operator of the space for 32 pixels, as its paper describes them."""
    yield "ConvNorm_H32_W32_Cin3_Cout16_kernel3_stride1_group1", None, None
    size, cin, layer = 32, 16, 0
    for cout, n, stride in ((16, 1, 1), (24, 4, 1), (32, 4, 2), (64, 4, 2), (112, 4, 1), (184, 4, 2), (352, 1, 1)):
        for i in range(n):
            s = 1 if i else stride
            place = f"H{size}_W{size}_Cin{cin}_Cout{cout}"
            kinds = [(e, k, g) for k in (3, 5) for e, g in ((1, 1), (1, 2), (3, 1), (6, 1))]
            for index, (e, k, g) in enumerate(kinds):
                yield f"ConvBlock_{place}_exp{e}_kernel{k}_stride{s}_group{g}", layer, index
            yield f"Skip_{place}_stride{s}", layer, 8
            size, cin, layer = size // s, cout, layer + 1
    yield "ConvNorm_H4_W4_Cin352_Cout1504_kernel1_stride1_group1", None, None
    yield "AvgP_H4_W4_Cin1504_Cout1504_kernel4_stride1", None, None
    yield "FC_Cin1504_Cout100", None, None


def test_a_whole_table_gives_the_sum_of_its_operators(write: Write) -> None:
    rng = np.random.default_rng(0)
    arch = rng.integers(0, 9, 22)
    every = list(operators(arch))
    table = {key: float(rng.random()) for key, _, _ in every}
    path = write("tables.json", json.dumps({"pixel3_latency": table}))
    found = checked(read(path, BLOCKS, WANTED), BLOCKS, WANTED, path)
    metric = imported(WANTED.metric, found, BLOCKS)
    total = sum(table[key] for key, layer, index in every if layer is None or arch[layer] == index)
    assert metric.total(arch[None])[0] == pytest.approx(total, rel=1e-12)


def test_energy_is_in_millijoules(write: Write) -> None:
    path = write("t.json", json.dumps({"eyeriss_energy": SMALL}))
    found = rows(path, Wanted("energy_mj@eyeriss"))
    assert {row.unit for row in found.values()} == {"mJ"}


def test_a_pickle_is_refused_with_the_command_that_makes_json_of_it(tmp_path: Path) -> None:
    path = tmp_path / "bench.pickle"
    tables = {"pixel3_latency": {key: np.float64(value) for key, value in SMALL.items()}}
    path.write_bytes(pickle.dumps({"fbnet": tables, "nasbench201": {}}))
    with pytest.raises(ArtifactError, match="may run code") as caught:
        rows(path)
    command = caught.value.hint.removeprefix("if you trust it: ").replace("python", sys.executable, 1)
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    assert rows(tmp_path / "tables.json")["stem (3, 32, 32)"].value == 1.5


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("latency_ms@pixl3", "did you mean 'pixel3_latency'"),
        ("energy_mj@pixel3", "no table 'pixel3_energy'"),
        ("latency_ms", "the energy of named devices"),
        ("memory_mb@pixel3", "the energy of named devices"),
    ],
)
def test_a_table_that_is_not_there_is_named(write: Write, metric: str, said: str) -> None:
    path = write("t.json", json.dumps({"pixel3_latency": SMALL}))
    with pytest.raises(UsageError, match=said):
        rows(path, Wanted(metric))


@pytest.mark.parametrize("text", ["[]", "{}", '{"a": 1}', "{"])
def test_what_holds_no_tables_is_refused_by_name(write: Write, text: str) -> None:
    with pytest.raises(ArtifactError, match=r"t\.json"):
        rows(write("t.json", text))
