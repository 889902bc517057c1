from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nascli.artifacts.architecture import Architecture, Choice
from nascli.artifacts.base import read_header
from nascli.artifacts.history import History, Trials
from nascli.artifacts.lookup_table import Column, LookupTable, Table
from nascli.artifacts.report import Report
from nascli.artifacts.reported import Reported

from .helpers import DATA, SAMPLES, SPACE, architecture, history, lookup_table, record, report, same, written
from .test_header import JSON

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
quick = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    sample = written(tmp_path, name)
    again = type(sample).open(tmp_path / name)
    assert same(again.payload, sample.payload)
    assert again.header.digest == sample.header.digest
    assert again.space == record()


@pytest.mark.parametrize("name", SAMPLES)
def test_the_digest_is_known_before_anything_is_written(tmp_path: Path, name: str) -> None:
    assert SAMPLES[name]().sealed().header.digest == written(tmp_path, name).header.digest


@pytest.mark.parametrize("name", SAMPLES)
def test_two_writings_have_one_digest(tmp_path: Path, name: str) -> None:
    digests = {SAMPLES[name]().write(tmp_path / f"{i}{name}").header.digest for i in range(2)}
    assert len(digests) == 1


@pytest.mark.parametrize("name", SAMPLES)
def test_a_payload_is_read_when_it_is_asked_for(tmp_path: Path, name: str) -> None:
    opened = type(written(tmp_path, name)).open(tmp_path / name)
    (tmp_path / name).unlink()
    with pytest.raises(Exception, match="no such file"):
        _ = opened.payload


@quick
@given(archs=st.lists(st.integers(0, 2), min_size=3, max_size=3))
def test_every_architecture_reads_back(tmp_path: Path, archs: list[int]) -> None:
    architecture(tuple(archs)).write(tmp_path / "arch.npy")
    assert Architecture.open(tmp_path / "arch.npy").payload == Choice(tuple(archs))


@quick
@given(st.data())
def test_every_history_reads_back(tmp_path: Path, data: st.DataObject) -> None:
    n = data.draw(st.integers(0, 4))
    values = arrays.arrays(np.float64, n)
    archs = data.draw(arrays.arrays(np.int64, (n, 3), elements=st.integers(0, 2)))
    costs = {
        name: data.draw(values) for name in data.draw(st.sets(st.sampled_from(["macs", "latency_ms@pixel-3.cpu"])))
    }
    images = data.draw(arrays.arrays(np.int64, n))
    errors = data.draw(st.dictionaries(st.integers(0, n), st.text(max_size=9)))
    trials = Trials(archs, data.draw(values), data.draw(values), images, costs, errors)
    History(trials, space=record()).write(tmp_path / "history.h5")
    assert same(History.open(tmp_path / "history.h5").payload, trials)


@quick
@given(st.data())
def test_every_lookup_table_reads_back(tmp_path: Path, data: st.DataObject) -> None:
    def column() -> Column:
        cells = arrays.arrays(data.draw(st.sampled_from([np.int64, np.float64])), 3, elements=st.integers(0, 2**40))
        factors = tuple(((i,), data.draw(cells)) for i in range(data.draw(st.integers(0, 12))))
        base = data.draw(st.integers(0, 2**60) | st.floats(0, 1e9))
        return Column("MAC", base, factors, data.draw(st.booleans()), data.draw(st.none() | NUMBERS), {"n": [1]})

    names = data.draw(st.sets(st.sampled_from(["macs", "params", "latency_ms@a.b"]), min_size=1))
    table = Table({name: column() for name in sorted(names)})
    LookupTable(table, space=record()).write(tmp_path / "lut.h5")
    assert same(LookupTable.open(tmp_path / "lut.h5").payload, table)


@quick
@given(st.dictionaries(st.text(max_size=9), JSON, max_size=4), st.dictionaries(st.text(max_size=9), JSON, max_size=4))
def test_every_report_reads_back(tmp_path: Path, values: dict[str, Any], measured: dict[str, Any]) -> None:
    Report(Reported(values, measured)).write(tmp_path / "report.json")
    assert same(Report.open(tmp_path / "report.json").payload, Reported(values, measured))


def test_what_the_clock_said_stays_outside_the_digest() -> None:
    digests = [Report(Reported({"top1": 0.5}, {"seconds": s})).sealed().header.digest for s in (1.0, 2.0)]
    assert digests[0] == digests[1] != Report(Reported({"top1": 0.6})).sealed().header.digest


def test_a_report_with_a_number_that_json_does_not_have_is_not_written(tmp_path: Path) -> None:
    for values, measured in (({"loss": float("nan")}, {}), ({}, {"seconds": float("inf")})):
        with pytest.raises(ValueError, match="JSON"):
            Report(Reported(values, measured)).write(tmp_path / "report.json")
    assert list(tmp_path.iterdir()) == []


# --- for other tools -------------------------------------------------------------------------------------------------


def test_numpy_reads_an_architecture_as_a_plain_vector(tmp_path: Path) -> None:
    architecture().write(tmp_path / "arch.npy")
    vector = np.load(tmp_path / "arch.npy", allow_pickle=False)
    assert (vector.tolist(), vector.dtype) == ([0, 2, 1], np.int64)


def test_h5py_reads_a_lookup_table_and_its_header(tmp_path: Path) -> None:
    lookup_table().write(tmp_path / "lut.h5")
    with h5py.File(tmp_path / "lut.h5") as file:
        assert file["macs/0001/values"][()].tolist() == [0, 2, 4]
        header = json.loads(file["header"][()].tobytes())
    assert (header["kind"], file.name if file else "closed") == ("lookup-table", "closed")


def test_any_tool_reads_a_report_header_first(tmp_path: Path) -> None:
    report().write(tmp_path / "report.json")
    value = json.loads((tmp_path / "report.json").read_text())
    assert list(value) == ["header", "report", "measured"]
    assert value["report"] == {"top1": 0.75, "images": 8}


# --- headers ---------------------------------------------------------------------------------------------------------


def test_the_header_holds_space_data_conventions_and_summary(tmp_path: Path) -> None:
    header = read_header(Path(architecture().write(tmp_path / "arch.npy").path or ""))
    assert (header.kind, header.schema_version, header.summary) == ("architecture", 1, {"accuracy": 0.5})
    assert (header.space, header.data) == (record(), DATA)
    assert read_header(Path(history().write(tmp_path / "h.h5").path or "")).conventions["accuracy"].startswith("share")


def test_the_metrics_of_a_table_are_known_from_its_header(tmp_path: Path) -> None:
    lookup_table().write(tmp_path / "lut.h5")
    metrics = LookupTable.open(tmp_path / "lut.h5").metrics
    assert metrics["latency_ms"] == {"unit": "ms", "exact": False, "error": 0.02, "rounds": 5}
    assert metrics["macs"]["exact"] is True


def test_the_record_of_the_space_gives_the_space(tmp_path: Path) -> None:
    history().write(tmp_path / "history.h5")
    assert History.open(tmp_path / "history.h5").space.space() == SPACE
