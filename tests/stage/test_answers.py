"""Answers of a tuner where an architecture is taken: `retrain --arch answer.json`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nascli.artifacts.base import read_header
from nascli.cli import run
from nascli.component import resolve
from nascli.space.exchange import to_answer
from tests.conftest import Command

ARCH = [0, 4, 1, 0, 1, 0]
YAML = """
search_space: {use: tiny, width: 4}
dataflow: {use: synthetic, image_shape: [1, 8, 8], train_images: 100, test_images: 20, batch_size: 50}
threads: 1
retrain: {epochs: 1}
"""


def answer() -> dict[str, Any]:
    return to_answer(resolve("search_space", "tiny").build().space, ARCH)


def written(folder: Path, given: Any) -> Path:
    path = folder / "answer.json"
    path.write_text(given if isinstance(given, str) else json.dumps(given))
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an answer and the network retrained from it."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "run.yaml").write_text(YAML)
    written(folder, answer())
    arguments = ["retrain", "-c", "run.yaml", "--arch", "answer.json", "-o", "model.pt", "-q"]
    command = [sys.executable, "-m", "nascli", *arguments]
    subprocess.run(command, cwd=folder, capture_output=True, check=True)
    return folder


def refused(folder: Path, given: Any, capsys: pytest.CaptureFixture[str]) -> str:
    """What `retrain` says of an answer; it exits with 3."""
    (folder / "run.yaml").write_text(YAML)
    path = written(folder, given)
    code = run(["retrain", "-c", str(folder / "run.yaml"), "--arch", str(path), "-o", str(folder / "m.pt"), "-q"])
    assert code == 3
    assert not (folder / "m.pt").exists()
    message = capsys.readouterr().err
    assert str(path) in message
    return message


def test_the_network_of_an_answer_is_trained_and_the_answer_is_external(made: Path) -> None:
    header = read_header(made / "model.pt")
    assert header.summary["architecture"] == ARCH
    source = header.inputs["arch"]
    assert (source.kind, source.summary) == ("architecture", {"origin": "external"})
    assert source.space == header.space


def test_the_lineage_calls_an_answer_external(made: Path, in_process: Command) -> None:
    text = in_process("inspect", "--lineage", str(made / "model.pt")).stdout
    assert any("arch " in line and "(external)" in line for line in text.splitlines())


def test_a_network_stays_current_while_its_answer_does(made: Path, in_process: Command, tmp_path: Path) -> None:
    config = ["-c", str(made / "run.yaml"), "-o", str(made / "copy.pt"), "--skip-if-current"]
    (made / "copy.pt").write_bytes((made / "model.pt").read_bytes())
    again = in_process("retrain", *config, "--arch", str(made / "answer.json"))
    assert "kept, it is current" in again.stderr
    other = written(tmp_path, answer() | {"layer_00": {"_idx": 2}})
    changed = in_process("retrain", *config, "--arch", str(other))
    assert "wrote" in changed.stderr


def test_a_dry_run_reads_an_answer(made: Path, in_process: Command) -> None:
    arguments = ["-c", str(made / "run.yaml"), "--arch", str(made / "answer.json"), "-o", "m.pt", "--dry-run"]
    done = in_process("retrain", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert "answer.json" in json.loads(done.stdout)["reads --arch"]


@pytest.mark.parametrize(
    ("key", "entry", "expected"),
    [
        ("layer_00", {"_value": "conv"}, "key 'layer_00': _value names no candidate: 'conv'"),
        ("layer_01", {"_idx": 5}, "key 'layer_01': _idx takes 0 to 4, found 5"),
        ("layer_02", {"_value": "skip", "_idx": 1}, "key 'layer_02': _value and _idx disagree"),
        ("layer_07", {"_idx": 0}, "key 'layer_07' is no decision"),
        ("layer_00", {"value": "skip"}, "key 'layer_00': expected"),
    ],
)
def test_a_wrong_answer_exits_3_with_file_and_key(
    tmp_path: Path, key: str, entry: Any, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert expected in refused(tmp_path, answer() | {key: entry}, capsys)


def test_an_answer_without_a_key_exits_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = {key: entry for key, entry in answer().items() if key != "layer_03"}
    assert "key 'layer_03' is missing" in refused(tmp_path, given, capsys)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"layer_00": {"_idx": 0}, "layer_00": {"_idx": 1}}', "key 'layer_00' stands 2 times"),
        ('{"layer_00": {"_idx": NaN}}', "NaN is no number of JSON"),
        ('{"layer_00"', "cannot be read"),
        ("[0, 2, 1]", "an answer maps keys to what is chosen, found [0, 2, 1]"),
        ('{"\\ud800": {"_idx": 0}}', "cannot be read"),
        ("[" * 100_000, "cannot be read"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_answer_exits_3(
    tmp_path: Path, text: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert expected in refused(tmp_path, text, capsys)


def test_an_answer_names_no_search_space(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, answer())
    assert run(["retrain", "--set", "dataflow=digits", "--arch", str(path), "-o", str(tmp_path / "m.pt")]) == 2
    assert "--search-space NAME" in capsys.readouterr().err


def test_a_report_is_still_no_architecture(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    report = Path(__file__).parents[1] / "golden/v1/report.json"
    assert run(["retrain", "--arch", str(report), "-o", str(tmp_path / "m.pt")]) == 3
    assert "report.json is a report, expected an architecture" in capsys.readouterr().err
