"""`inspect --as nni`, and answers of a tuner as `inspect` sees them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nascli.cli import run
from nascli.component import resolve
from nascli.space.exchange import from_nni, read_answer, to_answer
from tests.artifacts.helpers import architecture, lookup_table, record, report, written
from tests.commands.test_inspect import Captured, facts, shown

ANSWER: dict[str, Any] = {
    "layer_0": {"_value": "skip", "_idx": 0},
    "layer_1": {"_value": "wide"},
    "layer_2": {"_idex": [1]},
}


@pytest.fixture
def answer(tmp_path: Path) -> Path:
    (tmp_path / "answer.json").write_text(json.dumps(ANSWER))
    return tmp_path / "answer.json"


def refused(capsys: Captured, *arguments: str | Path, code: int = 2) -> str:
    assert run(["inspect", *map(str, arguments)]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


@pytest.mark.parametrize("name", ["tiny", "nasbench_macro"])
def test_a_search_space_is_printed_as_json_alone(capsys: Captured, name: str) -> None:
    space = resolve("search_space", name).build().space
    found = from_nni(json.loads(shown(capsys, name, "--as", "nni")))
    assert found.decisions == space.decisions


def test_the_json_is_the_format_of_the_guide(capsys: Captured) -> None:
    entry = json.loads(shown(capsys, "tiny", "--as", "nni"))["layer_00"]
    assert entry["_type"] == "layer_choice"
    assert "mobile_k3_e2" in entry["_value"]


def test_an_architecture_is_printed_as_an_answer(capsys: Captured, tmp_path: Path) -> None:
    written(tmp_path, "arch.npy")
    found = json.loads(shown(capsys, tmp_path / "arch.npy", "--as", "nni"))
    assert found == to_answer(record().space(), [0, 2, 1])
    assert read_answer(record().space(), found).tolist() == [0, 2, 1]


def test_an_unknown_format_exits_2_with_the_known_ones(capsys: Captured) -> None:
    message = refused(capsys, "tiny", "--as", "nnni")
    assert "--as nnni: no such format; did you mean 'nni'?" in message
    assert "known: nni" in message


@pytest.mark.parametrize("other", ["--lineage", "--check"])
def test_formats_exclude_lineage_and_check(capsys: Captured, other: str) -> None:
    assert "--lineage, --check and --as exclude each other" in refused(capsys, "tiny", "--as", "nni", other)


def test_one_space_or_architecture_is_taken(capsys: Captured, tmp_path: Path) -> None:
    assert "found 2 paths" in refused(capsys, "tiny", "tiny", "--as", "nni")
    report().write(tmp_path / "report.json")
    assert "report.json is a report" in refused(capsys, tmp_path / "report.json", "--as", "nni")
    assert "is a folder" in refused(capsys, tmp_path, "--as", "nni")


def test_a_vector_without_a_space_has_no_answer(capsys: Captured, tmp_path: Path) -> None:
    np.save(tmp_path / "own.npy", np.array([0, 2, 1]))
    assert "names no search space" in refused(capsys, tmp_path / "own.npy", "--as", "nni", code=3)


def test_an_answer_shows_what_it_says(capsys: Captured, answer: Path) -> None:
    found = facts(capsys, answer)
    assert found["kind"] == "architecture"
    assert found["summary"] == {"origin": "external"}
    assert found["choices"] == [
        {"decision": "layer_0", "index": 0, "candidate": "skip"},
        {"decision": "layer_1", "index": None, "candidate": "wide"},
        {"decision": "layer_2", "index": [1], "candidate": None},
    ]
    assert "wide" in shown(capsys, answer)


def test_an_answer_beside_a_table_shows_what_its_choices_cost(capsys: Captured, answer: Path, tmp_path: Path) -> None:
    lookup_table().write(tmp_path / "lut.h5")
    architecture((0, 2, 1)).write(tmp_path / "arch.npy")
    by_answer, by_vector = (facts(capsys, tmp_path / "lut.h5", tmp_path / name) for name in ("answer.json", "arch.npy"))
    assert by_answer["metrics"] == by_vector["metrics"]
    assert by_answer["layers"] == by_vector["layers"]


def test_a_wrong_answer_beside_a_table_is_refused_with_file_and_key(capsys: Captured, answer: Path) -> None:
    lookup_table().write(answer.parent / "lut.h5")
    answer.write_text(json.dumps(ANSWER | {"layer_1": {"_value": "wider"}}))
    message = refused(capsys, answer.parent / "lut.h5", answer, code=3)
    assert f"{answer}: key 'layer_1': _value names no candidate: 'wider'" in message


def test_an_answer_and_an_architecture_differ_by_candidate(capsys: Captured, tmp_path: Path) -> None:
    for name, arch in (("a.json", (0, 2, 1)), ("b.json", (0, 0, 1))):
        (tmp_path / name).write_text(json.dumps(to_answer(record().space(), arch)))
    architecture((0, 2, 1)).write(tmp_path / "arch.npy")
    assert facts(capsys, tmp_path / "a.json", tmp_path / "arch.npy")["contents"] == []
    (changed,) = facts(capsys, tmp_path / "b.json", tmp_path / "arch.npy")["contents"]
    assert (changed["name"], changed["first"], changed["second"]) == ("layer_1", "skip", "wide")


def test_a_check_takes_answers(capsys: Captured, answer: Path) -> None:
    (found,) = facts(capsys, answer, "--check")["files"]
    assert (found["ok"], found["kind"]) == (True, "architecture")


def test_a_folder_lists_answers_beside_other_json(capsys: Captured, answer: Path) -> None:
    (answer.parent / "package.json").write_text('{"name": "x"}')
    states = {Path(file["path"]).name: file["state"] for file in facts(capsys, answer.parent)["files"]}
    assert states == {"answer.json": "current", "package.json": "unreadable"}
