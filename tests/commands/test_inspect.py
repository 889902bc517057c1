"""Each kind of artifact, and a search space, as a person and as a program see it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nascli.artifacts.header import Header
from nascli.artifacts.lookup_table import Column, LookupTable, Table
from nascli.cli import run
from tests.artifacts.helpers import SAMPLES, record
from tests.conftest import Command

GOLDEN = Path(__file__).parents[1] / "golden/v1"
FILES = sorted(path.name for path in GOLDEN.iterdir())
SPACE = LookupTable.open(GOLDEN / "lut.h5").space.fingerprint[:12]

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")


def shown(capsys: Captured, *arguments: str | Path, code: int = 0) -> str:
    found = run(["inspect", *map(str, arguments)])
    captured = capsys.readouterr()
    assert found == code, captured.err
    return captured.out


def facts(capsys: Captured, *arguments: str | Path, code: int = 0) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    found: dict[str, Any] = json.loads(shown(capsys, *arguments, "--json", code=code), parse_constant=refuse)
    return found


@pytest.mark.parametrize("name", FILES)
def test_every_kind_is_one_json_object_with_a_schema(capsys: Captured, name: str) -> None:
    found = facts(capsys, GOLDEN / name)
    assert found["schema"] == f"nascli.inspect.{found['kind']}/1"
    assert {"path", "digest", "config", "summary", "provenance", "space", "data", "inputs"} <= found.keys()


@pytest.mark.parametrize("name", FILES)
def test_every_kind_names_its_space_and_digest(capsys: Captured, name: str) -> None:
    text = shown(capsys, GOLDEN / name)
    assert f"tiny ({SPACE})" in text
    assert facts(capsys, GOLDEN / name)["digest"][:16] in text


@pytest.mark.parametrize("name", FILES)
def test_no_table_is_wider_than_20_columns_and_no_value_is_cut(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    text = shown(capsys, GOLDEN / name)
    assert [line for line in text.splitlines() if line[:1] in "┏┃┡│└" and len(line) > 20] == []
    assert "…" not in text


def test_a_lookup_table_shows_cells_totals_shares_and_conditions(capsys: Captured) -> None:
    text = shown(capsys, GOLDEN / "lut.h5")
    for word in ("macs [MAC]", "latency_ms [ms]", "mobile_k5_e4", "24,000", "86,304", "28.6", "golden"):
        assert word in text


def test_the_shares_of_the_decisions_sum_to_one(capsys: Captured) -> None:
    metrics = facts(capsys, GOLDEN / "lut.h5")["metrics"]
    assert sum(metrics["macs"]["shares"].values()) == pytest.approx(1)
    assert (metrics["macs"]["smallest"], metrics["macs"]["largest"]) == (2304, 86304)
    assert metrics["latency_ms"]["notes"] == {"device": "golden", "batch": 1, "rounds": 5}


def test_cells_over_several_decisions_are_listed_without_totals(capsys: Captured, tmp_path: Path) -> None:
    SAMPLES["lut.h5"]().write(tmp_path / "lut.h5")
    latency = facts(capsys, tmp_path / "lut.h5")["metrics"]["latency_ms"]
    assert ["layer_0", "layer_1"] in [cell["decisions"] for cell in latency["cells"]]
    assert latency["largest"] is None
    assert "layer_0, layer_1" in shown(capsys, tmp_path / "lut.h5")


def test_a_table_with_a_nan_is_refused_with_the_cell_named(capsys: Captured, tmp_path: Path) -> None:
    factors = tuple(((i,), np.array([0.0, 1.0, np.nan if i == 1 else 2.0])) for i in range(3))
    LookupTable(Table({"ms": Column("ms", 0.0, factors, False)}), space=record()).write(tmp_path / "lut.h5")
    assert run(["inspect", str(tmp_path / "lut.h5")]) == 3
    assert "layer_1=wide is nan" in capsys.readouterr().err


def test_an_architecture_shows_its_choices_and_the_network_in_one_line(capsys: Captured) -> None:
    text = shown(capsys, GOLDEN / "arch.npy")
    assert "input [1, 8, 8] -> mobile_k3_e2 -> " in text
    assert "3 classes" in text
    assert "costs.macs" in text


def test_a_vector_without_a_header_shows_its_indices(capsys: Captured, tmp_path: Path) -> None:
    np.save(tmp_path / "own.npy", np.array([0, 2, 1]))
    assert facts(capsys, tmp_path / "own.npy")["arch"] == [0, 2, 1]
    assert "0,2,1" in shown(capsys, tmp_path / "own.npy")


def test_a_history_shows_growth_best_front_and_failures(capsys: Captured) -> None:
    text = shown(capsys, GOLDEN / "arch.history.h5")
    for word in ("best so far", "best 1 of 2", "front: accuracy against macs", "1 failed", "the loss is nan"):
        assert word in text


def test_the_front_leaves_out_what_another_beats(capsys: Captured, tmp_path: Path) -> None:
    from nascli.artifacts.history import History, Trials

    archs = np.arange(12).reshape(4, 3) % 3
    accuracy, macs = np.array([0.5, 0.7, 0.6, 0.4]), np.array([10, 30, 40, 10])
    trials = Trials(archs, accuracy, 1 - accuracy, np.full(4, 8), {"macs": macs}, {})
    History(trials).write(tmp_path / "h.h5")
    found = facts(capsys, tmp_path / "h.h5")
    assert found["front"] == [0, 1]
    assert found["best"] == [1, 2, 0, 3]
    assert found["best_so_far"] == [0.5, 0.7, 0.7, 0.7]


def test_an_empty_history_can_be_shown(capsys: Captured, tmp_path: Path) -> None:
    from nascli.artifacts.history import History, Trials

    none = np.zeros(0)
    History(Trials(np.zeros((0, 3), int), none, none, none.astype(int), {"macs": none}, {})).write(tmp_path / "h.h5")
    assert "best 0 of 0" in shown(capsys, tmp_path / "h.h5")


@pytest.mark.parametrize("name", ["supernet.pt", "model.pt"])
def test_parameters_are_counted_as_torch_counts_them(capsys: Captured, name: str) -> None:
    from nascli.commands.opening import open_any

    state = open_any(GOLDEN / name).payload.state_dict
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    expected = sum(tensor.numel() for key, tensor in state.items() if not key.endswith(statistics))
    assert facts(capsys, GOLDEN / name)["parameters"] == expected


def test_a_model_that_knows_its_architecture_shows_it(capsys: Captured, tmp_path: Path) -> None:
    model = SAMPLES["model.pt"]()
    model.header = model.header.model_copy(update={"summary": {"architecture": [0, 2, 1]}})
    model.write(tmp_path / "model.pt")
    assert "skip -> wide -> conv" in shown(capsys, tmp_path / "model.pt")


def test_a_panel_fits_a_terminal_of_80_columns(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    supernet = SAMPLES["supernet.pt"]()
    rounds = [{"step": 123456, "mean": 0.987654, "spread": 0.0123456, "tau": -0.928571}]
    told = {"panel": {"0,2,1": 0.5}, "panel_rounds": rounds}
    supernet.header = supernet.header.model_copy(update={"summary": told})
    supernet.write(tmp_path / "supernet.pt")
    assert f" {'#' * 20} " in shown(capsys, tmp_path / "supernet.pt")


@pytest.mark.parametrize(
    ("feasible", "words"),
    [(537.0, "537 of 15,625 architectures"), ([1e18, 2e18], "1.0e18 to 2.0e18 of 4.0e18 architectures")],
)
def test_feasible_architectures_are_told_beside_all(
    capsys: Captured, tmp_path: Path, feasible: object, words: str
) -> None:
    arch = SAMPLES["arch.npy"]()
    whole = 15625.0 if isinstance(feasible, float) else 4e18
    arch.header = arch.header.model_copy(update={"summary": {"feasible": feasible, "of": whole}})
    arch.write(tmp_path / "arch.npy")
    assert words in shown(capsys, tmp_path / "arch.npy")


def test_counts_have_no_unit(capsys: Captured, tmp_path: Path) -> None:
    table = SAMPLES["lut.h5"]()
    (column, *_) = table.payload.columns.values()
    LookupTable(Table({"params": replace(column, unit="1")}), space=table.space).write(tmp_path / "lut.h5")
    text = shown(capsys, tmp_path / "lut.h5")
    assert "params [1]" not in text
    assert "params" in text


def test_what_a_generator_learned_shows_requested_and_generated_costs(capsys: Captured) -> None:
    found = facts(capsys, GOLDEN / "arch.generator.pt")
    assert found["strategy"] == "generator"
    assert found["numbers"] == 2 * 6 + 3
    assert found["curve"][1] == {"requested": 86304.0, "generated": 56304, "off": -34.8}
    text = shown(capsys, GOLDEN / "arch.generator.pt")
    for word in ("macs, before any repair", "86304", "-34.8", "tau"):
        assert word in text


def test_a_checkpoint_shows_step_and_settings(capsys: Captured, tmp_path: Path) -> None:
    checkpoint = SAMPLES["checkpoint.pt"]()
    told = {"summary": {"step": 3, "steps": 9}, "config": {"meters": [{"use": "macs"}]}}
    checkpoint.header = Header(**{**checkpoint.header.model_dump(), **told})
    checkpoint.write(tmp_path / "last.pt")
    assert facts(capsys, tmp_path / "last.pt")["step"] == 3
    assert "meters.0.use" in shown(capsys, tmp_path / "last.pt")


def test_a_search_space_is_shown_by_its_name(capsys: Captured) -> None:
    found = facts(capsys, "tiny")
    assert found["schema"] == "nascli.inspect.search-space/1"
    assert found["architectures"] == 5**6
    assert "mobile_k5_e4" in shown(capsys, "tiny")


def test_a_misspelt_space_names_the_closest(capsys: Captured) -> None:
    assert run(["inspect", "tinny"]) == 3
    assert "tiny" in capsys.readouterr().err


def test_several_artifacts_are_one_object_too(capsys: Captured) -> None:
    found = facts(capsys, GOLDEN / "lut.h5", GOLDEN / "report.json")
    assert found["schema"] == "nascli.inspect.several/1"
    assert [item["kind"] for item in found["items"]] == ["lookup-table", "report"]


@pytest.mark.parametrize("name", FILES)
def test_lineage_goes_down_to_space_and_data(capsys: Captured, name: str) -> None:
    text = shown(capsys, GOLDEN / name, "--lineage")
    assert f"search space  tiny  {SPACE}" in text
    assert ("data  golden" in text) == (name != "lut.h5")
    assert facts(capsys, GOLDEN / name, "--lineage")["schema"] == "nascli.inspect.lineage/1"


def test_lineage_can_be_drawn_in_ascii(nascli: Command) -> None:
    done = nascli("inspect", "--lineage", str(GOLDEN / "report.json"), PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "`-- model  model" in done.stdout


def test_brackets_and_line_breaks_in_paths_survive(capsys: Captured, tmp_path: Path) -> None:
    path = tmp_path / "[bold] a\nb.json"
    path.write_bytes((GOLDEN / "report.json").read_bytes())
    assert "[bold]" in shown(capsys, path)
    assert "[bold] a\\nb.json  report" in shown(capsys, path, "--lineage")


@pytest.mark.parametrize("arguments", [["supernet.pt"], ["model.pt"], ["checkpoint.pt"], ["supernet.pt"] * 2, ["."]])
def test_the_header_is_enough_without_torch(arguments: list[str]) -> None:
    paths = [str(GOLDEN / name) for name in arguments]
    code = f"import sys; from nascli.cli import run; print(run(['inspect', *{paths!r}]), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 False"
