"""The command: one file, written whole or not at all."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from nascli.cli import run
from tests.artifacts.helpers import supernet

from .reporting.helpers import pipeline

Captured = pytest.CaptureFixture[str]


def test_the_page_is_one_file_and_its_path_the_result(tmp_path: Path, capsys: Captured) -> None:
    pipeline(tmp_path / "made")
    path = tmp_path / "page.html"
    assert run(["report", str(tmp_path / "made"), "-o", str(path), "--title", "Mine & yours"]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{path}\n"
    assert "not in it: search strategies side by side" in captured.err
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["page.html"]
    assert "<h1>Mine &amp; yours</h1>" in path.read_text()


def test_json_names_sections_and_what_is_missing(tmp_path: Path, capsys: Captured) -> None:
    pipeline(tmp_path)
    assert run(["report", str(tmp_path / "lut.h5"), "-o", str(tmp_path / "page.html"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [section["anchor"] for section in found["sections"]] == ["overview", "lookup-table-0", "lineage", "settings"]
    assert len(found["missing"]) == 6


@pytest.mark.parametrize(("out", "options"), [("page.txt", []), ("page", []), ("", []), ("there.html", [])])
def test_a_wrong_output_is_refused_and_nothing_is_written(out: str, options: list[str], tmp_path: Path) -> None:
    made = pipeline(tmp_path / "made")
    there = tmp_path / "there.html"
    there.write_text("mine")
    assert run(["report", str(made), "-o", str(tmp_path / out), *options]) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "there.html"]
    assert there.read_text() == "mine"


def test_force_replaces_a_page(tmp_path: Path) -> None:
    pipeline(tmp_path)
    there = tmp_path / "there.html"
    there.write_text("mine")
    assert run(["report", str(tmp_path / "lut.h5"), "-o", str(there), "--force", "-q"]) == 0
    assert there.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("words", [[], ["--colour", "red"]])
def test_wrong_arguments_are_usage(words: list[str], tmp_path: Path) -> None:
    assert run(["report", *words, "-o", str(tmp_path / "page.html")]) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_broken_file_is_an_error_and_leaves_nothing(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "arch.npy").write_bytes(b"broken")
    for name in ("arch.npy", "missing.pt"):
        assert run(["report", str(tmp_path / name), "-o", str(tmp_path / "page.html")]) == 3
        assert name in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()


def test_without_the_extra_the_command_to_install_it_is_named(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline(tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert run(["report", str(tmp_path), "-o", str(tmp_path / "page.html")]) == 2
    error = capsys.readouterr().err
    assert "a report needs the package matplotlib" in error
    assert "pip install 'nascli[report]'" in error
    assert not (tmp_path / "page.html").exists()


def test_a_file_whose_contents_no_stage_writes_is_an_error_and_leaves_nothing(tmp_path: Path, capsys: Captured) -> None:
    made = supernet()
    made.header = made.header.model_copy(update={"summary": {"panel": {"0,1,2": {}}, "panel_rounds": 3}})
    made.write(tmp_path / "supernet.pt")
    assert run(["report", str(tmp_path / "supernet.pt"), "-o", str(tmp_path / "r.html")]) == 3
    assert "supernet.pt: what it holds is not what a stage writes" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()
