"""A folder of artifacts: what is there, and what is stale."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from nascli.artifacts.base import Artifact
from nascli.artifacts.comparison import Comparison, Runs
from nascli.artifacts.lookup_table import LookupTable
from nascli.cli import run
from tests.artifacts.helpers import SAMPLES, architecture, lookup_table, model, record, report
from tests.commands.test_inspect import GOLDEN, Captured, facts, shown
from tests.conftest import Lock


def put(folder: Path, name: str, artifact: Artifact[Any], **inputs: Artifact[Any]) -> Artifact[Any]:
    """Write an artifact as a stage would have."""
    told = {
        "inputs": {role: source.header for role, source in inputs.items()},
        "provenance": {"command": f"/usr/bin/nascli make --seed 1 -o {name}"},
    }
    artifact.header = artifact.header.model_copy(update=told)
    return artifact.write(folder / name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lut = put(tmp_path, "lut.h5", lookup_table())
    arch = put(tmp_path, "arch.npy", architecture(), lut=lut)
    made = put(tmp_path, "model.pt", model(), arch=arch)
    put(tmp_path, "report.json", report(), model=made)
    return tmp_path


def renew(folder: Path) -> None:
    """Replace the lookup table by another."""
    lut = lookup_table()
    lut.header = lut.header.model_copy(update={"config": {"changed": True}})
    put(folder, "lut.h5", lut)


def states(capsys: Captured, folder: Path) -> dict[str, str]:
    return {Path(file["path"]).name: file["state"] for file in facts(capsys, folder)["files"]}


def test_all_golden_files_are_current(capsys: Captured) -> None:
    found = states(capsys, GOLDEN)
    assert found.pop("checkpoint.pt") == "unfinished"
    assert set(found.values()) == {"current"}


def test_what_stands_behind_a_new_input_is_stale(capsys: Captured, folder: Path) -> None:
    renew(folder)
    stale = dict.fromkeys(("arch.npy", "model.pt", "report.json"), "stale")
    assert states(capsys, folder) == {"lut.h5": "current"} | stale


def test_stale_files_say_why_and_what_renews_them(
    capsys: Captured, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    renew(folder)
    text = shown(capsys, folder)
    assert "made from another --lut" in text
    assert "its --arch arch.npy is stale" in text
    assert "nascli make --seed 1 -o arch.npy --force" in text


def test_a_comparison_is_renewed_by_its_own_command_which_knows_no_force(capsys: Captured, folder: Path) -> None:
    put(folder, "compare.json", Comparison(Runs([], [], {}), space=record()), lut=LookupTable.open(folder / "lut.h5"))
    renew(folder)
    found = {Path(file["path"]).name: file for file in facts(capsys, folder)["files"]}["compare.json"]
    assert (found["state"], found["renew"]) == ("stale", "nascli make --seed 1 -o compare.json")


def test_an_input_that_is_not_there_says_nothing(capsys: Captured, folder: Path) -> None:
    (folder / "lut.h5").unlink()
    assert set(states(capsys, folder).values()) == {"current"}


def test_any_file_of_the_kind_may_be_the_input(capsys: Captured, folder: Path) -> None:
    shutil.copy(folder / "lut.h5", folder / "old.h5")
    renew(folder)
    assert set(states(capsys, folder).values()) == {"current"}


def test_the_checkpoint_of_an_unfinished_run_is_listed(capsys: Captured, folder: Path) -> None:
    (folder / "s.pt.run").mkdir()
    put(folder, "s.pt.run/last.pt", SAMPLES["checkpoint.pt"]())
    found = {file["path"]: file for file in facts(capsys, folder)["files"]}[str(folder / "s.pt.run/last.pt")]
    assert found["state"] == "unfinished"
    assert found["renew"].endswith("--resume")


def test_files_that_cannot_be_read_are_listed_too(capsys: Captured, folder: Path) -> None:
    (folder / "broken.pt").write_bytes(b"x")
    (folder / "notes.txt").write_text("x")
    found = states(capsys, folder)
    assert found["broken.pt"] == "unreadable"
    assert "notes.txt" not in found


def test_the_folder_of_a_run_that_cannot_be_read_is_named(capsys: Captured, folder: Path, lock: Lock) -> None:
    (folder / "s.pt.run").mkdir()
    put(folder, "s.pt.run/last.pt", SAMPLES["checkpoint.pt"]())
    lock(folder / "s.pt.run")
    assert run(["inspect", str(folder), "--json"]) == 0
    said = capsys.readouterr()
    assert len(json.loads(said.out)["files"]) == 4
    assert f"{folder / 's.pt.run'} cannot be read" in said.err


def test_a_folder_that_cannot_be_read_is_an_error(capsys: Captured, folder: Path, lock: Lock) -> None:
    lock(folder)
    assert run(["inspect", str(folder)]) == 5
    assert f"{folder}: Permission denied" in capsys.readouterr().err.replace("\n  why:", ":")


def test_an_empty_folder_is_an_empty_list(capsys: Captured, tmp_path: Path) -> None:
    assert facts(capsys, tmp_path)["files"] == []
    assert "artifacts in" in shown(capsys, tmp_path)
