"""Two artifacts side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nascli.artifacts.history import History, Trials
from nascli.artifacts.lookup_table import Column, LookupTable, Table
from nascli.cli import run
from tests.artifacts.helpers import architecture, record, supernet
from tests.commands.test_inspect import GOLDEN, Captured, facts, shown


def table(path: Path, *costs: float, unit: str = "ms") -> Path:
    """A lookup table whose first decision costs `costs`."""
    factors = (((0,), np.array(costs)), *(((i,), np.array([0.0, 1.0, 2.0])) for i in (1, 2)))
    LookupTable(Table({"ms": Column(unit, 4.0, factors, False)}), space=record()).write(path)
    return path


@pytest.fixture
def lut(tmp_path: Path) -> Path:
    return table(tmp_path / "lut.h5", 1.0, 2.0, 4.0)


@pytest.fixture
def arch(tmp_path: Path) -> Path:
    architecture((1, 2, 0)).write(tmp_path / "arch.npy")
    return tmp_path / "arch.npy"


def test_cells_that_differ_are_named_the_largest_first(capsys: Captured, tmp_path: Path, lut: Path) -> None:
    found = facts(capsys, lut, table(tmp_path / "b.h5", 1.0, 2.5, 3.0))
    assert found["schema"] == "nascli.inspect.difference/1"
    assert found["contents"] == [
        {"name": "ms layer_0=conv", "first": 2.0, "second": 2.5, "difference": 0.5, "relative": 0.25},
        {"name": "ms layer_0=wide", "first": 4.0, "second": 3.0, "difference": -1.0, "relative": -0.25},
    ]
    assert "cells: 2 of 10 differ" in shown(capsys, lut, tmp_path / "b.h5")


def test_of_many_cells_the_ten_largest_are_shown(capsys: Captured, tmp_path: Path) -> None:
    for path, slope in ((tmp_path / "a.h5", 1), (tmp_path / "b.h5", 2)):
        factors = tuple(((i,), 1.0 + slope * np.arange(3) * 3**i) for i in range(3))
        LookupTable(Table({m: Column("ms", 0.0, factors, False) for m in "xy"}), space=record()).write(path)
    text = shown(capsys, tmp_path / "a.h5", tmp_path / "b.h5")
    assert "cells: 12 of 20 differ; the 10 largest" in text
    assert text.index("layer_2=wide") < text.index("layer_1=wide") < text.index("layer_0=wide")
    assert "layer_0=conv" not in text


def test_a_file_and_itself_are_the_same(capsys: Captured, lut: Path) -> None:
    found = facts(capsys, lut, lut)
    assert not any(found[section] for section in ("origin", "settings", "values", "contents"))
    assert "the same: equal digests" in shown(capsys, lut, lut)


def test_choices_differ_layer_by_layer(capsys: Captured, tmp_path: Path, arch: Path) -> None:
    architecture((1, 0, 0)).write(tmp_path / "b.npy")
    found = facts(capsys, arch, tmp_path / "b.npy")
    assert found["contents"] == [{"name": "layer_1", "first": "wide", "second": "skip"}]


def test_settings_and_values_that_differ_are_named(capsys: Captured, tmp_path: Path) -> None:
    for name, epochs, loss in (("a.pt", 2, 1.0), ("b.pt", 3, 0.5)):
        made = supernet()
        told = {"config": {"epochs": epochs, "seed": 0}, "summary": {"loss": loss}}
        made.header = made.header.model_copy(update=told)
        made.write(tmp_path / name)
    found = facts(capsys, tmp_path / "a.pt", tmp_path / "b.pt")
    assert [change["name"] for change in found["settings"]] == ["epochs"]
    assert found["values"] == [{"name": "loss", "first": 1.0, "second": 0.5, "difference": -0.5, "relative": -0.5}]
    assert found["contents"] == []


def test_histories_differ_by_what_they_tried(capsys: Captured, tmp_path: Path) -> None:
    for name, accuracy in (("a.h5", [0.5, 0.7]), ("b.h5", [0.5, 0.8])):
        scores = np.array(accuracy)
        archs = np.array([[0, 0, 0], [1, 1, 1]])
        History(Trials(archs, scores, 1 - scores, np.array([8, 8]), {}, {})).write(tmp_path / name)
    found = facts(capsys, tmp_path / "a.h5", tmp_path / "b.h5")
    assert [(change["name"], change["second"]) for change in found["contents"]] == [("1,1,1", 0.8)]


@pytest.mark.parametrize("order", [("lut", "arch"), ("arch", "lut")])
def test_a_table_and_an_architecture_give_cost_shares(
    capsys: Captured, order: tuple[str, str], request: pytest.FixtureRequest
) -> None:
    paths: list[Path] = [request.getfixturevalue(name) for name in order]
    found = facts(capsys, *paths)
    assert found["schema"] == "nascli.inspect.cost-shares/1"
    assert [layer["costs"]["ms"] for layer in found["layers"]] == [4.0, 2.0, 2.0, 0.0]
    assert (found["metrics"]["ms"]["unit"], found["metrics"]["ms"]["total"]) == ("ms", 8.0)
    assert "ms [%]" in shown(capsys, *paths)


def test_cost_shares_say_where_most_of_it_goes(capsys: Captured, tmp_path: Path, lut: Path) -> None:
    architecture((2, 1, 0)).write(tmp_path / "b.npy")
    metric = facts(capsys, lut, tmp_path / "b.npy")["metrics"]["ms"]
    assert [(entry["decision"], entry["cost"]) for entry in metric["largest"]] == [
        ("(fixed part)", 4.0),
        ("layer_0", 4.0),
        ("layer_1", 1.0),
    ]
    assert sum(entry["share"] for entry in metric["largest"]) == 1.0
    assert "where ms goes: the 3 largest of 3" in shown(capsys, lut, tmp_path / "b.npy")


def test_shares_of_a_maximum_are_not_added_up(capsys: Captured, tmp_path: Path, arch: Path) -> None:
    factors = tuple(((i,), np.array([1.0, 2.0, 4.0])) for i in range(3))
    column = Column("MB", 1.0, factors, True, joins="max")
    LookupTable(Table({"peak_memory_mb": column}), space=record()).write(tmp_path / "max.h5")
    metric = facts(capsys, tmp_path / "max.h5", arch)["metrics"]["peak_memory_mb"]
    assert metric["joins"] == "max"
    assert [entry["share"] for entry in metric["largest"]] == [1.0, 0.5, 0.25, 0.25]
    text = shown(capsys, tmp_path / "max.h5", arch)
    assert "where peak_memory_mb goes" in text
    assert "so far" not in text


def test_two_tables_say_how_alike_they_are(capsys: Captured, tmp_path: Path, lut: Path) -> None:
    other = table(tmp_path / "b.h5", 1.5, 2.5, 5.0)
    agreement = facts(capsys, lut, other)["agreement"]
    assert agreement == {"ms": {"cells": 9, "median": 0.0, "spearman": pytest.approx(0.966, abs=0.01)}}
    assert "agreement" in shown(capsys, lut, other)
    assert facts(capsys, lut, lut)["agreement"]["ms"]["spearman"] == 1.0


def test_a_vector_of_ones_own_gets_cost_shares_too(capsys: Captured, tmp_path: Path, lut: Path) -> None:
    np.save(tmp_path / "own.npy", np.array([2, 0, 0]))
    assert facts(capsys, lut, tmp_path / "own.npy")["metrics"]["ms"]["total"] == 8.0


def test_a_table_of_another_space_exits_3(capsys: Captured, lut: Path) -> None:
    assert run(["inspect", str(lut), str(GOLDEN / "arch.npy")]) == 3
    assert "nascli build-lut" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(path.name for path in GOLDEN.iterdir()))
def test_two_equal_files_of_every_kind_are_compared(capsys: Captured, name: str) -> None:
    assert run(["inspect", str(GOLDEN / name), str(GOLDEN / name)]) == 0
    assert capsys.readouterr().err == ""
