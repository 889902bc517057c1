from __future__ import annotations

import json
import sys
from pathlib import Path

import onnx
import pytest

from nascli.cli import run

Captured = pytest.CaptureFixture[str]

TINY = ["--search-space", "tiny", "--set", "search_space.width=4"]


def test_a_person_sees_the_blocks_and_what_to_do_next(capsys: Captured, tmp_path: Path) -> None:
    folder = tmp_path / "blocks"
    assert run(["export-blocks", *TINY, "--no-onnx", "-o", str(folder)]) == 0
    shown = capsys.readouterr()
    assert "distinct blocks of tiny" in shown.out
    assert f"nascli import-measurements {folder / 'measurements.csv'} --metric latency_ms" in shown.err


def test_the_models_are_listed_in_json(capsys: Captured, tmp_path: Path) -> None:
    assert run(["export-blocks", *TINY, "-o", str(tmp_path / "blocks"), "--batch", "4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["batch"], len(found["blocks"])) == (4, 28)
    assert all((tmp_path / "blocks" / block["model"]["file"]).is_file() for block in found["blocks"])


SHORT = """
search_space:
  {use: chain, input_shape: [1, 4, 4], classes: 2, search: [{out: 2}], candidates: [{op: conv, kernel: 1}, {op: skip}]}
"""


@pytest.mark.parametrize(("option", "kept"), [("--fold-bn", False), ("--keep-bn", True)])
def test_batchnorm_is_folded_or_kept(capsys: Captured, tmp_path: Path, option: str, kept: bool) -> None:
    (tmp_path / "run.yaml").write_text(SHORT)
    folder = tmp_path / "blocks"
    assert run(["export-blocks", "-c", str(tmp_path / "run.yaml"), "--onnx", option, "--json", "-o", str(folder)]) == 0
    found = json.loads(capsys.readouterr().out)
    models = [onnx.load(str(folder / block["model"]["file"])) for block in found["blocks"]]
    assert any(node.op_type == "BatchNormalization" for model in models for node in model.graph.node) is kept
    assert found["fold_bn"] is not kept


def test_the_yaml_may_name_the_space(capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("search_space: {use: tiny, width: 8}\n")
    folder = str(tmp_path / "blocks")
    assert run(["export-blocks", "-c", str(tmp_path / "run.yaml"), "--no-onnx", "-q", "-o", folder]) == 0
    assert capsys.readouterr().out == f"{folder}\n"
    assert json.loads((tmp_path / "blocks" / "manifest.json").read_text())["space"]["options"]["width"] == 8


def test_networks_of_ones_own_are_exported_too(capsys: Captured, tmp_path: Path) -> None:
    assert (
        run(["export-blocks", "--search-space", "nasbench201", "--no-onnx", "--json", "-o", str(tmp_path / "b")]) == 0
    )
    blocks = json.loads(capsys.readouterr().out)["blocks"]
    assert {block["operation"] is None for block in blocks} == {True}
    assert sum(place["times"] for block in blocks for place in block["places"]) > len(blocks)


def test_without_onnx_there_is_a_hint_and_no_folder(
    capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert run(["export-blocks", *TINY, "-o", str(tmp_path / "blocks")]) == 2
    assert "pip install 'nascli[onnx]', or the list of blocks alone: --no-onnx" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_names_a_space_is_said(capsys: Captured, tmp_path: Path) -> None:
    assert run(["export-blocks", "-o", str(tmp_path / "blocks")]) == 2
    assert "name it: --search-space NAME" in capsys.readouterr().err


def test_a_folder_that_is_there_is_kept(capsys: Captured, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    assert run(["export-blocks", *TINY, "--no-onnx", "-o", str(tmp_path)]) == 2
    assert "choose another -o" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
