from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nascli.artifacts.base import read_header
from nascli.artifacts.header import Entry, Header, parse_header, provenance
from nascli.errors import ArtifactError
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


def test_the_contents_are_the_digest_of_the_manifest() -> None:
    entry = header().manifest[0]
    other = entry.model_copy(update={"sha256": "b" * 64})
    assert header(summary={"x": 2}).contents == header().contents
    assert len({header().contents, header().sealed(()).contents, header().sealed((other,)).contents}) == 3


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
    assert header().digest == "e32a86b8acd8a4e4cb718e13166ef3b922117b10489bc648434417f2d6eb5284"


# --- as an input -----------------------------------------------------------------------------------------------------


def test_an_input_leaves_its_manifest_out_and_keeps_everything_else() -> None:
    whole = header(inputs={"lut": header(kind="lookup-table").as_input()})
    assert (len(whole.manifest), whole.as_input().manifest) == (1, ())
    assert whole.as_input() == whole.model_copy(update={"manifest": ()})


def test_an_input_has_the_digest_that_it_has_as_a_file() -> None:
    whole = header(kind="architecture")
    assert whole.as_input().compute_digest() == whole.digest
    assert header(inputs={"arch": whole.as_input()}).digest == header(inputs={"arch": whole}).digest


def test_a_header_with_an_input_without_manifest_reads_back() -> None:
    deep = header(kind="architecture", inputs={"lut": header(kind="lookup-table").as_input()}).as_input()
    whole = header(inputs={"arch": deep})
    assert parse_header(whole.to_bytes(), "file") == whole


@pytest.mark.parametrize("origin", ["external", "search"])
def test_an_input_without_manifest_is_recognised_by_its_content(origin: str) -> None:
    whole = header(kind="architecture", summary={"origin": origin})
    assert whole.as_input().content_id == whole.content_id


def test_an_architecture_of_ones_own_is_known_by_its_contents_alone() -> None:
    own, adopted = header(space=None, summary={"origin": "external"}), header(summary={"origin": "external"})
    assert own.digest != adopted.digest
    assert own.content_id == adopted.content_id
    assert own.sealed(()).content_id != own.content_id


# --- what is refused -------------------------------------------------------------------------------------------------


def changed(whole: Header, **fields: Any) -> bytes:
    return json.dumps({**whole.model_dump(mode="json"), **fields}).encode()


def test_a_changed_header_is_refused() -> None:
    with pytest.raises(ArtifactError, match="file: the header was changed after it was written"):
        parse_header(changed(header(), config={"seed": 1}), "file")


def manifests() -> list[list[dict[str, Any]]]:
    """Other manifests than the header's."""
    (entry,) = header().model_dump(mode="json")["manifest"]
    return [[], [entry, entry], [{**entry, "sha256": "b" * 64}], [{**entry, "shape": [4]}], [{**entry, "name": "x"}]]


@pytest.mark.parametrize("manifest", manifests())
def test_a_changed_manifest_is_refused(manifest: list[dict[str, Any]]) -> None:
    with pytest.raises(ArtifactError, match="file: the header was changed after it was written"):
        parse_header(changed(header(), manifest=manifest), "file")


@pytest.mark.parametrize("manifest", manifests()[1:])
def test_a_changed_manifest_of_an_input_is_refused(manifest: list[dict[str, Any]]) -> None:
    dumped = header(inputs={"arch": header(kind="architecture")}).model_dump(mode="json")
    dumped["inputs"]["arch"]["manifest"] = manifest
    with pytest.raises(ArtifactError, match="input 'arch': the header was changed"):
        parse_header(json.dumps(dumped).encode(), "file")


def test_a_manifest_that_was_changed_with_its_digest_is_refused() -> None:
    (entry,) = header().manifest
    other = header().sealed((entry, entry))
    with pytest.raises(ArtifactError, match="the header was changed"):
        parse_header(changed(header(), manifest=[entry.model_dump(mode="json")] * 2, contents=other.contents), "file")


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


# --- where it was made -----------------------------------------------------------------------------------------------


def test_provenance_names_time_host_and_versions() -> None:
    found = provenance({"threads": 2})
    assert (found["command"], found["threads"]) == (shlex.join(sys.argv), 2)
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
