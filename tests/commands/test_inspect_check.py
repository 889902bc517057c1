"""`inspect --check`: whether files are what was written."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from nascli.artifacts.base import read_header
from nascli.artifacts.files import sha256
from nascli.artifacts.lookup_table import Column, LookupTable, Table
from nascli.cli import run
from tests.artifacts.helpers import record, with_h5
from tests.commands.test_inspect import FILES, GOLDEN, Captured, facts, shown


def flipped(source: Path, path: Path) -> Path:
    """A copy of a `.pt` with one byte of its first tensor changed."""
    raw = bytearray(source.read_bytes())
    with zipfile.ZipFile(source) as archive:
        raw[raw.index(archive.read("archive/data/0"))] ^= 1
    path.write_bytes(raw)
    return path


def test_whole_files_exit_0_with_a_line_each(capsys: Captured) -> None:
    lines = shown(capsys, "--check", *(GOLDEN / name for name in FILES)).splitlines()
    assert len(lines) == len(FILES)
    assert all(line.startswith("ok ") for line in lines)


def test_a_folder_is_checked_file_by_file(capsys: Captured) -> None:
    found = facts(capsys, "--check", GOLDEN)
    assert found["schema"] == "nascli.inspect.check/1"
    assert [Path(file["path"]).name for file in found["files"]] == FILES


def test_one_flipped_byte_of_a_tensor_exits_3(capsys: Captured, tmp_path: Path) -> None:
    broken = flipped(GOLDEN / "supernet.pt", tmp_path / "s.pt")
    text = shown(capsys, "--check", broken, GOLDEN / "lut.h5", code=3)
    assert text.splitlines()[0].startswith(f"wrong  {broken}")
    assert text.splitlines()[1].startswith("ok ")


def test_a_cell_that_was_changed_is_named(capsys: Captured, tmp_path: Path) -> None:
    def change(file: object) -> None:
        file["macs/0001/values"][2] = 7  # type: ignore[index]

    broken = with_h5(GOLDEN / "lut.h5", tmp_path / "lut.h5", change)
    assert "'macs/0001/values' differs" in shown(capsys, "--check", broken, code=3)


def test_contents_that_make_no_sense_are_wrong_though_digests_fit(capsys: Captured, tmp_path: Path) -> None:
    factors = tuple(((i,), np.array([0.0, -1.0, 2.0])) for i in range(3))
    LookupTable(Table({"ms": Column("ms", 0.0, factors, False)}), space=record()).write(tmp_path / "lut.h5")
    assert "layer_0=conv is -1.0" in shown(capsys, "--check", tmp_path / "lut.h5", code=3)


def test_json_says_what_is_wrong(capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}")
    file = facts(capsys, "--check", tmp_path / "report.json", code=3)["files"][0]
    assert (file["ok"], file["path"]) == (False, str(tmp_path / "report.json"))
    assert "no header" in file["error"]


def test_a_missing_file_is_wrong(capsys: Captured, tmp_path: Path) -> None:
    assert "no such file" in shown(capsys, "--check", tmp_path / "a.npy", code=3)


def test_a_path_with_a_line_break_stays_on_its_line(capsys: Captured, tmp_path: Path) -> None:
    path = tmp_path / "a\nb [bold].json"
    path.write_bytes((GOLDEN / "report.json").read_bytes())
    assert len(shown(capsys, "--check", path).splitlines()) == 1


def test_lineage_and_check_exclude_each_other(capsys: Captured) -> None:
    assert run(["inspect", "--check", "--lineage", str(GOLDEN / "lut.h5")]) == 2


@pytest.mark.parametrize("name", ["lut.h5", "report.json"])
def test_nothing_is_written(capsys: Captured, name: str) -> None:
    before = sha256((GOLDEN / name).read_bytes())
    shown(capsys, "--check", GOLDEN / name)
    assert sha256((GOLDEN / name).read_bytes()) == before
    assert read_header(GOLDEN / name).digest
