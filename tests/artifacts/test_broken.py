from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.base import Artifact, read_header
from nascli.artifacts.history import History
from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.model import Model, TrainedModel
from nascli.artifacts.report import Report
from nascli.artifacts.supernet import SupernetCheckpoint
from nascli.errors import ArtifactError

from .helpers import SAMPLES, architecture, history, lookup_table, model, npy, record, report, same, written


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact[Any]]:
    """Every sample in a file."""
    folder = tmp_path_factory.mktemp("samples")
    return {name: written(folder, name) for name in SAMPLES}


def refused(kind: type[Artifact[Any]], path: Path) -> ArtifactError:
    with pytest.raises(ArtifactError) as caught:
        _ = kind.open(path).payload
    assert caught.value.exit_code == 3
    return caught.value


# --- damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_cut_short_anywhere_is_refused(samples: dict[str, Artifact[Any]], tmp_path: Path, name: str) -> None:
    raw = Path(samples[name].path or "").read_bytes()
    for length in range(0, len(raw), 64):
        (tmp_path / name).write_bytes(raw[:length])
        refused(type(samples[name]), tmp_path / name)


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_bit_is_refused_or_changes_nothing(
    samples: dict[str, Artifact[Any]], tmp_path: Path, name: str, data: st.DataObject
) -> None:
    raw = bytearray(Path(samples[name].path or "").read_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    (tmp_path / name).write_bytes(raw)
    try:
        found = type(samples[name]).open(tmp_path / name)
        payload = found.payload
    except ArtifactError:
        return
    if name != "report.json":
        assert same(payload, samples[name].payload)
    else:
        assert payload.report == samples[name].payload.report


@pytest.mark.parametrize("name", ["model.pt", "lut.h5", "history.h5", "arch.npy"])
def test_a_flipped_bit_in_the_contents_is_refused_as_such(tmp_path: Path, name: str) -> None:
    needle = {
        "model.pt": np.arange(6, dtype=np.float32), "lut.h5": np.arange(3) * 3, "history.h5": np.full(2, 8),
        "arch.npy": np.array([0, 2, 1]),
    }[name].tobytes()  # fmt: skip
    sample = written(tmp_path, name)
    raw = (tmp_path / name).read_bytes()
    place = raw.index(needle) + len(needle) // 2
    (tmp_path / name).write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
    message = str(refused(type(sample), tmp_path / name))
    assert "digest" in message or "Bad CRC-32" in message


def test_a_value_of_a_report_that_was_edited_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    report().write(path)
    path.write_text(path.read_text().replace("0.75", "0.95"))
    assert "'report' differs from what was written" in str(refused(Report, path))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "3", "{}", '{"header": 3}', '{"header": {}, "report": {}}', '{"report": {}}', "\ud800", "[" * 9999],
)
def test_json_that_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    refused(Report, tmp_path / "report.json")


@pytest.mark.parametrize("change", [lambda v: v.pop("report"), lambda v: v.update(report={"top1": float("nan")})])
def test_a_report_without_its_values_is_refused(tmp_path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    path = tmp_path / "report.json"
    report().write(path)
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))
    refused(Report, path)


# --- wrong files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Architecture, LookupTable, Model, Report])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, kind: type[Artifact[Any]]) -> None:
    path = tmp_path / f"gone{kind.suffix}"
    assert refused(kind, path).what == f"{path}: no such file"


@pytest.mark.parametrize("kind", [Architecture, LookupTable, Model, Report])
def test_a_folder_is_refused(tmp_path: Path, kind: type[Artifact[Any]]) -> None:
    (tmp_path / f"x{kind.suffix}").mkdir()
    assert "is a folder" in refused(kind, tmp_path / f"x{kind.suffix}").what


def test_a_suffix_that_no_artifact_has_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"")
    assert "artifacts end in .h5, .pt, .npy, .json" in refused(Model, tmp_path / "model.onnx").what


@pytest.mark.parametrize("suffix", [".h5", ".pt", ".npy", ".json"])
def test_a_file_with_the_suffix_of_another_format_is_refused(tmp_path: Path, suffix: str) -> None:
    sources = {".h5": model, ".pt": lookup_table, ".npy": report, ".json": architecture}
    path = tmp_path / f"file{suffix}"
    Path(sources[suffix]().write(tmp_path / "source").path or "").rename(path)
    with pytest.raises(ArtifactError, match=r"cannot be read|no header"):
        read_header(path)


def test_another_kind_is_refused_with_the_command_that_makes_the_right_one(tmp_path: Path) -> None:
    model().write(tmp_path / "model.pt")
    error = refused(SupernetCheckpoint, tmp_path / "model.pt")
    assert "is a model, expected a supernet" in error.what
    assert error.hint.startswith("make one: nascli train-supernet")


def test_a_newer_schema_is_refused_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(History, "version", 2)
        history().write(tmp_path / "history.h5")
    error = refused(History, tmp_path / "history.h5")
    assert "history of schema version 2, this nascli reads 1" in error.what
    assert "written by nascli" in error.why
    assert error.hint == "pip install --upgrade nascli"


@pytest.mark.parametrize("behind", [b"garbage", npy(np.zeros(2, dtype=np.uint8)), npy(np.zeros(1))])
def test_a_vector_with_something_else_behind_it_is_refused(tmp_path: Path, behind: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(npy(np.zeros(3, dtype=int)) + behind)
    refused(Architecture, tmp_path / "a.npy")


def test_checkpoints_and_tables_of_other_tools_are_told_from_ours(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(1)}, tmp_path / "model.pt")
    assert "not a file of nascli (it has no header)" in refused(Model, tmp_path / "model.pt").what
    (tmp_path / "old.pt").write_bytes(b"\x80\x02}q\x00.")
    assert "cannot be read" in refused(Model, tmp_path / "old.pt").what


def test_contents_that_do_not_fit_the_space_are_refused(tmp_path: Path) -> None:
    Model(TrainedModel((0, 1), {}), space=record()).write(tmp_path / "model.pt")
    assert "does not fit its search space" in refused(Model, tmp_path / "model.pt").what


def test_contents_that_lack_a_part_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Model, "pack", lambda self, payload: {"arch": [0, 2, 1]})
        model().write(tmp_path / "model.pt")
    assert "KeyError: 'state_dict'" in refused(Model, tmp_path / "model.pt").why
