from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nascli.artifacts.base import read_header, same_data, same_space
from nascli.artifacts.header import DataRecord, Entry, Header, parse_header, provenance
from nascli.errors import ArtifactError, Mismatch
from nascli.space import Decision, Space

from .helpers import DATA, SAMPLES, SPACE, record, written

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e300, 1e300) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def header(**fields: Any) -> Header:
    entry = Entry(name="arch", dtype="int64", shape=(3,), sha256="a" * 64)
    full = {"space": record(), "data": DATA, "config": {"seed": 0}, "conventions": {"a": "b"}, "summary": {"x": 1}}
    return Header(**{"kind": "model", "schema_version": 1, **full, **fields}).sealed((entry,))


# --- digest ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "supernet"},
        {"schema_version": 2},
        {"space": None},
        {"space": record(Space("four", (Decision("x", ("a", "b")),), (1, 8, 8), 10))},
        {"data": None},
        {"data": DATA.model_copy(update={"sizes": {"train": 9}})},
        {"config": {"seed": 1}},
        {"config": {"seed": 0, "more": None}},
        {"conventions": {"a": "c"}},
        {"summary": {"x": 1.5}},
        {"inputs": {"arch": header(kind="architecture")}},
    ],
)
def test_every_field_of_the_identity_enters_the_digest(change: dict[str, Any]) -> None:
    assert header(**change).digest != header().digest


@pytest.mark.parametrize(
    "change", [{"nascli_version": "9.9"}, {"storage": {"data.pkl": "b"}}, {"provenance": {"host": "elsewhere"}}]
)
def test_time_place_and_storage_stay_outside_the_digest(change: dict[str, Any]) -> None:
    assert header(**change).digest == header().digest


@pytest.mark.parametrize("field", ["name", "dtype", "sha256"])
def test_the_contents_enter_the_digest(field: str) -> None:
    entry = header().manifest[0]
    changed = header().sealed((entry.model_copy(update={field: "other"}),))
    assert changed.digest != header().digest
    assert header().sealed((entry, entry)).digest != header().digest


def test_an_input_counts_by_its_digest_alone() -> None:
    here = header(kind="architecture", provenance={"host": "here"})
    there = header(kind="architecture", provenance={"host": "there"})
    assert header(inputs={"arch": here}).digest == header(inputs={"arch": there}).digest
    assert header(inputs={"arch": here}).digest != header(inputs={"init": here}).digest


def test_the_order_of_keys_stays_outside_the_digest() -> None:
    assert header(config={"a": 1, "b": 2}).digest == header(config={"b": 2, "a": 1}).digest


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=4))
def test_a_header_reads_back_with_its_digest(values: dict[str, Any]) -> None:
    whole = header(config=values, summary=values, inputs={"arch": header(kind="architecture", summary=values)})
    assert parse_header(whole.to_bytes(), "file") == whole


def test_the_digest_is_the_one_of_the_first_release() -> None:
    assert header().digest == "22680a0e6bc69729e0e3602bb9b191615f3cc7a2f17f29428bcf6d0e85351ec6"


# --- what is refused -------------------------------------------------------------------------------------------------


def changed(whole: Header, **fields: Any) -> bytes:
    return json.dumps({**whole.model_dump(mode="json"), **fields}).encode()


def test_a_changed_header_is_refused() -> None:
    with pytest.raises(ArtifactError, match="file: the header was changed after it was written"):
        parse_header(changed(header(), config={"seed": 1}), "file")


def test_a_changed_header_of_an_input_is_refused_by_role() -> None:
    deep = header(kind="architecture", inputs={"lut": header(kind="lookup-table")})
    dumped = header(inputs={"arch": deep}).model_dump(mode="json")
    dumped["inputs"]["arch"]["inputs"]["lut"]["summary"] = {"x": 2}
    with pytest.raises(ArtifactError, match="input 'arch', input 'lut': the header was changed"):
        parse_header(json.dumps(dumped).encode(), "file")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[]", "cannot be read"),
        (b"{}", "kind: Field required"),
        (changed(header(), surprise=1), "surprise: Extra inputs are not permitted"),
        (changed(header(), manifest=[{"name": "x"}]), r"manifest\.0\.dtype"),
        (changed(header(), format="onnx"), "not a file of nascli .format 'onnx'"),
        (changed(header(), inputs={"x": {}}), r"inputs\.x\.kind"),
    ],
)
def test_what_is_no_header_is_refused_with_the_field(raw: bytes, expected: str) -> None:
    with pytest.raises(ArtifactError, match=expected):
        parse_header(raw, "file")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_a_header_with_a_number_that_json_does_not_have_is_refused(tmp_path: Path, number: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(changed(header(), summary={"x": "HERE"}).decode().replace('"HERE"', number))
    path.write_text(f'{{"header": {path.read_text()}, "report": {{}}}}')
    with pytest.raises(ArtifactError):
        read_header(path)


def test_inputs_nested_without_end_are_refused(tmp_path: Path) -> None:
    path, deep = tmp_path / "report.json", 5000
    path.write_text('{"header": ' + '{"inputs": {"x": ' * deep + "1" + "}}" * deep + ', "report": {}}')
    with pytest.raises(ArtifactError):
        read_header(path)


@pytest.mark.parametrize(
    "description",
    [{}, *({**SPACE.describe(), **change} for change in ({"decisions": []}, {"decisions": [{}]}, {"classes": 9}))],
)
def test_a_record_whose_description_is_no_space_is_refused(description: dict[str, Any]) -> None:
    with pytest.raises(ArtifactError, match="search space 'three': its"):
        record().model_copy(update={"description": description}).space()


# --- fit -------------------------------------------------------------------------------------------------------------


def test_files_of_one_space_fit() -> None:
    assert record().space() == SPACE
    same_space(SPACE, record(), "--lut")


def test_files_of_two_spaces_are_told_apart() -> None:
    other = Space("three", SPACE.decisions, (1, 8, 8), 11)
    with pytest.raises(Mismatch, match="--lut is of the search space 'three'") as caught:
        same_space(other, record(), "--lut", "make it anew")
    assert (caught.value.exit_code, caught.value.hint) == (3, "make it anew")
    assert SPACE.fingerprint[:12] in caught.value.what
    assert other.fingerprint[:12] in caught.value.what


@pytest.mark.parametrize("found", [None, DATA, DATA.model_copy(update={"name": "renamed"})])
def test_equal_data_and_none_at_all_fit(found: DataRecord | None) -> None:
    same_data(DATA, found, "--supernet")


def test_other_data_is_refused_by_name() -> None:
    with pytest.raises(Mismatch, match="--supernet was made on 'points'"):
        same_data(DATA, DATA.model_copy(update={"fingerprint": "0" * 64}), "--supernet")


def test_provenance_names_time_host_and_versions() -> None:
    found = provenance({"command": "nascli x"})
    assert found["command"] == "nascli x"
    assert found["packages"]["numpy"]
    assert found["created"].endswith("+00:00")


# --- without torch ---------------------------------------------------------------------------------------------------


def test_every_header_is_read_without_torch(tmp_path: Path) -> None:
    paths = [str(written(tmp_path, name).path) for name in SAMPLES]
    code = f"""
import sys
from pathlib import Path
from nascli.commands.inspect import open_any
print(*[open_any(Path(path)).header.digest for path in {paths!r}], "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [*(read_header(Path(path)).digest for path in paths), "False"]
