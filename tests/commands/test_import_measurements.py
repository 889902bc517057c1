"""Measurements of another machine, from the CSV to the search that they constrain."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.lookup_table import LookupTable
from nascli.cli import run
from nascli.component import resolve
from nascli.cost.feasible import FeasibleSet
from nascli.cost.table import from_table
from nascli.cost.units import UNITS
from nascli.space import Space
from tests.cost.helpers import feasible

Captured = pytest.CaptureFixture[str]

TINY = ["--search-space", "tiny", "--set", "search_space.width=4"]
SPACE: Space = resolve("search_space", {"use": "tiny", "width": 4}).build().space
BLOCKS = resolve("search_space", {"use": "tiny", "width": 4}).build().cost_blocks()
RNG = np.random.default_rng(0)
TRUE = {block.id: (1.0 if block.name == "skip" else 4.0) + float(RNG.random()) for block in BLOCKS.blocks}


def network_ms(archs: np.ndarray) -> np.ndarray:
    """What the fictitious device takes for whole networks: more than for the blocks, and not quite evenly."""
    counts = BLOCKS.counts(archs)
    wobble = 1 + 0.04 * np.sin(np.arange(len(archs)) + counts @ np.arange(counts.shape[1]))
    return np.asarray((1.25 * counts @ np.array(list(TRUE.values())) + 3.0) * wobble)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The list of blocks and 60 networks."""
    path = tmp_path_factory.mktemp("exported") / "blocks"
    assert run(["export-blocks", *TINY, "--no-onnx", "--networks", "60", "-q", "-o", str(path)]) == 0
    return path


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    """The same, to be filled in."""
    return shutil.copytree(exported, tmp_path / "blocks")


def fill_in(folder: Path, factor: float = 1.0, unit: str = "ms", without: int = 0, networks: bool = True) -> Path:
    """Measure all but the last `without` blocks by the fictitious device; its file."""
    path = folder / "measurements.csv"
    with path.open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    known = list(TRUE)[: len(TRUE) - without]
    for line in lines:
        if line["id"] in known:
            line |= {"value": repr(TRUE[line["id"]] * factor), "unit": unit}
        elif line["architecture"] and networks:
            arch = np.array([[int(i) for i in line["architecture"].split(",")]])
            line |= {"value": repr(float(network_ms(arch)[0]) * factor), "unit": unit}
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    return path


def taken(file: Path, out: Path, *more: str, device: str = "toy") -> int:
    return run(["import-measurements", str(file), "--metric", "latency_ms", "--device", device, "-o", str(out), *more])


def benchmark(path: Path) -> Path:
    """Scores of all architectures of the space: the more work, the better."""
    archs = np.stack(np.meshgrid(*(np.arange(5),) * 6, indexing="ij"), axis=-1).reshape(-1, 6)
    path.write_text(json.dumps({"".join(map(str, row)): {"mean_acc": 50 + sum(row)} for row in archs.tolist()}))
    return path


def searched(lut: Path, out: Path, *constraints: str) -> Mapping[str, Any]:
    """The summary of a search that is driven by a table alone."""
    evaluator = f"search.evaluator={{use: table, path: {benchmark(out.with_suffix('.json'))}}}"
    bounds = [word for constraint in constraints for word in ("--constraint", constraint)]
    words = ["--lut", str(lut), "--set", evaluator, "--set", "search.max_evaluations=60", "-o", str(out), "-q"]
    assert run(["search", *words, *bounds]) == 0
    return Architecture.open(out).header.summary


def test_a_fictitious_device_drives_a_search_that_meets_the_constraint_with_its_margin(
    folder: Path, tmp_path: Path
) -> None:
    lut, out = tmp_path / "lut.h5", tmp_path / "arch.npy"
    assert taken(fill_in(folder), lut, "-q") == 0
    metric = from_table(LookupTable.open(lut).payload, SPACE)["latency_ms@toy"]
    assert metric.error is not None
    assert 0.01 < metric.error < 0.1
    summary = searched(lut, out, "latency_ms@toy<=36")
    assert summary["margin"] == {"latency_ms@toy": metric.error}
    arch = np.array([np.load(out)])
    assert 30 < metric.total(arch)[0] * (1 + metric.error) <= 36
    assert network_ms(arch)[0] <= 36


def test_two_devices_in_one_file_constrain_a_search_together(folder: Path, tmp_path: Path) -> None:
    lut, both, out = tmp_path / "lut.h5", tmp_path / "both.h5", tmp_path / "arch.npy"
    assert taken(fill_in(folder, networks=False), lut, "-q") == 0
    assert taken(fill_in(folder, 0.5, networks=False), both, "--lut", str(lut), "-q", device="fast-toy") == 0
    summary = searched(both, out, "latency_ms@toy<=22", "latency_ms@toy>=20", "latency_ms@fast-toy<=10.5")
    costs = summary["costs"]
    assert costs["latency_ms@toy"] == pytest.approx(2 * costs["latency_ms@fast-toy"])
    assert 20 <= costs["latency_ms@toy"] <= 21


def test_the_margin_of_a_device_is_its_held_out_error(folder: Path, tmp_path: Path) -> None:
    lut = tmp_path / "lut.h5"
    assert taken(fill_in(folder), lut, "-q") == 0
    model = from_table(LookupTable.open(lut).payload, SPACE)
    error = model["latency_ms@toy"].error
    wide = feasible(model, "latency_ms@toy<=36")
    margined = FeasibleSet(model, list(wide.constraints), margin=None)
    assert margined.margins == {"latency_ms@toy": error}
    assert 0 < margined.count.lower < wide.count.lower


@pytest.mark.parametrize(("factor", "unit"), [(1e-3, "s"), (1e3, "us")])
def test_units_are_converted(folder: Path, tmp_path: Path, factor: float, unit: str) -> None:
    assert taken(fill_in(folder, networks=False), tmp_path / "a.h5", "-q") == 0
    assert taken(fill_in(folder, factor, unit, networks=False), tmp_path / "b.h5", "-q") == 0
    costs = [
        from_table(LookupTable.open(tmp_path / name).payload, SPACE)["latency_ms@toy"] for name in ("a.h5", "b.h5")
    ]
    assert costs[0].unit == costs[1].unit == "ms"
    arch = np.array([[1, 2, 3, 4, 0, 1]])
    assert costs[1].total(arch)[0] == pytest.approx(costs[0].total(arch)[0], rel=1e-14)


def test_the_table_says_where_it_comes_from(capsys: Captured, folder: Path, tmp_path: Path) -> None:
    lut = tmp_path / "lut.h5"
    assert taken(fill_in(folder), lut, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    notes = facts["metrics"]["latency_ms@toy"]["notes"]
    assert (notes["format"], notes["file"], notes["batch"], notes["fold_bn"]) == ("nascli", "measurements.csv", 1, True)
    assert len(notes["sha256"]) == 64
    assert facts["config"]["metric"] == "latency_ms@toy"
    assert run(["inspect", str(lut)]) == 0
    shown = capsys.readouterr()
    assert "40 held-out networks" in shown.out
    assert shown.err == ""
    assert run(["inspect", "--check", str(lut)]) == 0


def test_a_table_with_holes_is_refused_and_nothing_is_written(capsys: Captured, folder: Path, tmp_path: Path) -> None:
    assert taken(fill_in(folder, without=7), tmp_path / "lut.h5") == 2
    assert "7 of 28 blocks have no latency_ms@toy: " in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["blocks"]


@pytest.mark.parametrize("how", ["macs", "nearest"])
def test_holes_that_are_filled_are_said_in_yellow(capsys: Captured, folder: Path, tmp_path: Path, how: str) -> None:
    lut = tmp_path / "lut.h5"
    assert taken(fill_in(folder, without=2), lut, "--fill", how) == 0
    said = "latency_ms@toy: 2 blocks were not measured but filled"
    assert said in capsys.readouterr().err
    assert run(["inspect", str(lut), "--json"]) == 0
    shown = capsys.readouterr()
    assert said in shown.err
    metric = json.loads(shown.out)["metrics"]["latency_ms@toy"]
    assert metric["notes"]["filled"]["how"] == how
    assert metric["notes"]["filled"]["cells"] == ["layer_05=mobile_k5_e2", "layer_05=mobile_k5_e4"]


def test_measurements_of_another_space_are_refused(capsys: Captured, folder: Path, tmp_path: Path) -> None:
    other = ["--search-space", "tiny", "--set", "search_space.width=8"]
    assert taken(fill_in(folder), tmp_path / "lut.h5", *other) == 3
    assert "--manifest is of the search space 'Tiny'" in capsys.readouterr().err
    moved = tmp_path / "m.csv"
    moved.write_bytes((folder / "measurements.csv").read_bytes())
    assert taken(moved, tmp_path / "lut.h5", "--manifest", str(folder / "manifest.json"), *other) == 3
    assert taken(moved, tmp_path / "lut.h5") == 2
    assert "nothing names a search space" in capsys.readouterr().err
    assert taken(moved, tmp_path / "lut.h5", *TINY) == 0
    assert taken(moved, tmp_path / "lut.h5", "--manifest", str(moved), *TINY, "--force") == 3


def test_the_manifest_beside_the_file_must_be_whole_if_it_is_one(
    capsys: Captured, folder: Path, tmp_path: Path
) -> None:
    file, listed = fill_in(folder), folder / "manifest.json"
    listed.write_text(listed.read_text().replace('"batch"', '"batches"'))
    assert taken(file, tmp_path / "lut.h5", *TINY) == 3
    assert "is no manifest of blocks" in capsys.readouterr().err
    listed.write_text('{"name": "of a web page"}')
    assert taken(file, tmp_path / "lut.h5", *TINY) == 0


def test_a_metric_that_is_there_already_is_refused(capsys: Captured, folder: Path, tmp_path: Path) -> None:
    assert taken(fill_in(folder), tmp_path / "a.h5", "-q") == 0
    assert taken(folder / "measurements.csv", tmp_path / "b.h5", "--lut", str(tmp_path / "a.h5")) == 2
    assert "--lut has it already" in capsys.readouterr().err


def test_an_existing_table_is_replaced_only_with_force(capsys: Captured, folder: Path, tmp_path: Path) -> None:
    file, lut = fill_in(folder, networks=False), tmp_path / "lut.h5"
    assert taken(file, lut) == 0
    before = lut.read_bytes()
    assert taken(file, lut) == 2
    assert "replace it with --force" in capsys.readouterr().err
    assert lut.read_bytes() == before
    assert taken(file, lut, "--force") == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--metric", "Latency"], "a name has small letters"),
        (["--metric", "latency_ms@pixel3"], "a name has small letters"),
        (["--device", "pixel 3"], "a name has letters, digits"),
        (["-o", "lut.json"], "a lookup table ends in .h5"),
        (["--format", "ofaa"], "did you mean 'ofa'"),
        (["--fill", "zero"], "no such way"),
        (["--unit", "parsec"], "line 2: unknown unit 'parsec'"),
        (["--metric", "latency", "--unit", "us"], "hint: --metric latency_us"),
        (["--metric", "latency", "--unit", "µs"], "hint: --metric latency_us"),
    ],
)
def test_a_wrong_command_line_is_refused(
    capsys: Captured, folder: Path, tmp_path: Path, words: list[str], said: str
) -> None:
    file = fill_in(folder, unit="")
    assert taken(file, tmp_path / "lut.h5", *words) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["blocks"]


@pytest.mark.parametrize("unit", UNITS)
def test_every_unit_has_a_name_that_says_so(capsys: Captured, folder: Path, tmp_path: Path, unit: str) -> None:
    file = fill_in(folder, unit=unit)
    assert taken(file, tmp_path / "lut.h5", "--metric", "cost") == 2
    hint = capsys.readouterr().err.partition("hint: ")[2].split()
    assert taken(file, tmp_path / "lut.h5", *hint) == 0


def test_a_file_that_is_not_there_exits_3(capsys: Captured, tmp_path: Path) -> None:
    assert taken(tmp_path / "none.csv", tmp_path / "lut.h5", *TINY) == 3
    assert "cannot read" in capsys.readouterr().err


def test_tables_of_others_become_tables(capsys: Captured, tmp_path: Path) -> None:
    lines = [
        {"op_name": "stem", "op_data_shape": (8, 8, 1, 4, 1), "op_dtype": "float", "op_latency": 2000.0},
        {"op_name": "k3_e2", "op_data_shape": (8, 8, 4, 4, 1), "op_dtype": "float", "op_latency": 3000.0},
    ]
    (tmp_path / "lut.txt").write_text("\n".join(map(repr, lines)))
    words = ["--format", "nni", "--unit", "us", "--fill", "macs", *TINY, "--json"]
    assert taken(tmp_path / "lut.txt", tmp_path / "lut.h5", *words) == 0
    shown = capsys.readouterr()
    assert "26 blocks were not measured" in shown.err
    cells = json.loads(shown.out)["metrics"]["latency_ms@toy"]["cells"]
    found = [cell["cost"] for cell in cells if cell["candidates"] == ["mobile_k3_e2"]]
    assert found[:2] == [3.0, 3.0]
