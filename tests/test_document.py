from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nascli.document import parse_assignment, parse_scalar, read_document
from nascli.errors import ConfigError

from .test_config import document


def refused(tmp_path: Path, text: str | bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        document(tmp_path, text)
    assert caught.value.exit_code == 2
    return str(caught.value).replace(f"{tmp_path}/", "")


# --- scalars ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3e8", 3e8), ("1E-3", 1e-3), (".5", 0.5), ("1.", 1.0), ("-0.25", -0.25), ("+1", 1), ("010", 10), ("-7", -7),
        ("true", True), ("False", False), ("TRUE", True),
        ("~", None), ("null", None), ("Null", None), ("NULL", None), ("", None),
        ("on", "on"), ("off", "off"), ("yes", "yes"), ("No", "No"), ("y", "y"), ("nULL", "nULL"),
        ("12:30", "12:30"), ("1_000", "1_000"), ("0b11", "0b11"), ("2001-01-01", "2001-01-01"), ("1e", "1e"),
        ("1.2.3", "1.2.3"), ("=", "="), ("<<", "<<"), ("é", "é"),
        ("'null'", "null"), ('"3"', "3"), ("'3e8'", "3e8"), ("'on'", "on"), ("''", ""),
        ("!!int '3'", 3), ("!!str 3", "3"),
    ],
)  # fmt: skip
def test_scalars_follow_yaml_1_2(tmp_path: Path, text: str, value: Any) -> None:
    found = document(tmp_path, f"key: {text}\n").data["key"]
    assert (found, type(found)) == (value, type(value))
    assert parse_scalar(text) == value


@given(st.integers(-(10**30), 10**30))
def test_every_whole_number_reads_back(number: int) -> None:
    assert parse_scalar(str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_reads_back(number: float) -> None:
    found = parse_scalar(repr(number))
    assert isinstance(found, float)
    assert (found, math.copysign(1, found)) == (number, math.copysign(1, number))


@pytest.mark.parametrize("text", [".inf", "-.inf", "+.INF", ".nan", ".NaN", "1e999", "-1e999"])
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, text: str) -> None:
    assert "run.yaml:2: cannot read the value" in refused(tmp_path, f"a: 1\nkey: {text}\n")


@pytest.mark.parametrize(
    "text",
    ["!!python/object/apply:os.getcwd []", "!!python/name:os.system x", "!!python/object:x {a: 1}", "!foo 3",
     "!!set {a}", "!!bool maybe", "!!float x", "!!int on", "!!binary aGk=", "!!timestamp 2001-01-01", "9" * 5000],
)  # fmt: skip
def test_values_of_other_types_are_refused(tmp_path: Path, text: str) -> None:
    assert "run.yaml:1: cannot read" in refused(tmp_path, f"key: {text}\n")


# --- files -----------------------------------------------------------------------------------------------------------


def test_nested_values_read_as_mappings_and_tuples(tmp_path: Path) -> None:
    found = document(tmp_path, "a:\n  b: [1, 2.5, [x]]\n  c: {d: on}\n")
    assert found.data == {"a": {"b": (1, 2.5, ("x",)), "c": {"d": "on"}}}


def test_every_key_knows_its_line(tmp_path: Path) -> None:
    places = document(tmp_path, "a:\n  b: 1\n\n  c:\n  - d: 2\n").places
    assert {keys: place.rpartition(":")[2] for keys, place in places.items()} == {
        ("a",): "1", ("a", "b"): "2", ("a", "c"): "4", ("a", "c", "0", "d"): "5"
    }  # fmt: skip


@pytest.mark.parametrize("text", ["", "\n\n", "# a comment alone\n", "---\n"])
def test_an_empty_file_has_no_settings(tmp_path: Path, text: str) -> None:
    assert document(tmp_path, text).data == {}


def test_keys_that_look_like_other_values_stay_text(tmp_path: Path) -> None:
    assert document(tmp_path, "1: a\ntrue: b\n~: c\non: d\n").data == {"1": "a", "true": "b", "~": "c", "on": "d"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", "run.yaml:3: key 'a' stands twice"),
        ("a:\n  b: 1\n  b: 1\n", "run.yaml:3: key 'b' stands twice"),
        ("a: [{b: 1, b: 2}]\n", "run.yaml:1: key 'b' stands twice"),
        ("- 1\n", "run.yaml:1: expected keys and values at the top level"),
        ("\njust text\n", "run.yaml:2: expected keys and values at the top level"),
        ("? [1, 2]\n: 3\n", "run.yaml:1: a key is one word"),
        ("a:\n\tb: 1\n", "line 2: found character '\\t'"),
        ("a: [1, 2\n", "line 2: "),
        ("a: 1\n---\nb: 2\n", "line 2: but found another document"),
        ("a: 1\nb: *a\n", "line 2: anchors"),
        ("a: &x 1\n", "line 1: anchors"),
        ("a: \x07\n", "unacceptable character"),
        (b"\xff\xfea", "run.yaml is not UTF-8 text"),
        ("é: 1\n".encode("latin-1"), "run.yaml is not UTF-8 text"),
    ],
)
def test_what_is_no_configuration_is_refused_with_its_place(tmp_path: Path, text: str | bytes, expected: str) -> None:
    message = refused(tmp_path, text)
    assert expected in message
    assert "run.yaml" in message


def test_a_missing_file_and_a_folder_are_refused_by_name(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.yaml", tmp_path):
        with pytest.raises(ConfigError, match=f"cannot read {path}"):
            read_document(path)


def test_aliases_that_would_grow_without_bound_are_refused(tmp_path: Path) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    lines = [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise(letters)]
    assert "anchors" in refused(tmp_path, "\n".join(["a: &a [x]", *lines]))


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("{a: ", "}")])
@pytest.mark.parametrize("depth", [40, 5000])
def test_deep_nesting_is_refused_not_recursed_into(tmp_path: Path, opening: str, closing: str, depth: int) -> None:
    nest = opening * depth + "1" + closing * depth
    assert "nested more than" in refused(tmp_path, f"a: {nest}")
    with pytest.raises(ConfigError, match="nested more than"):
        parse_assignment(f"a={nest}")


def test_many_values_beside_each_other_are_not_deep(tmp_path: Path) -> None:
    assert len(document(tmp_path, "".join(f"k{i}: [[{i}], {{a: {i}}}]\n" for i in range(100))).data) == 100


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_assignment(f"key={text}")
    except ConfigError:
        return
    assert parse_assignment(f"key={text}")[0] == ("key",)


# --- --set -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "keys", "value"),
    [
        ("a=b=c", ("a",), "b=c"),
        ("a=", ("a",), None),
        ("train-supernet.weight-decay=3e-4", ("train_supernet", "weight_decay"), 3e-4),
        (" a =1", ("a",), 1),
        ("a=[1, x]", ("a",), (1, "x")),
        ("a={use: random, n: 2}", ("a",), {"use": "random", "n": 2}),
        ("a=-x-y", ("a",), "-x-y"),
    ],
)
def test_an_assignment_is_split_at_its_first_equals_sign(text: str, keys: tuple[str, ...], value: Any) -> None:
    assert parse_assignment(text) == (keys, value)


@pytest.mark.parametrize("text", ["=1", "x", "", "a.=1", ".a=1", "a..b=1", "=", "."])
def test_what_is_no_assignment_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_assignment(text)
    assert caught.value.what == f"--set {text}: expected KEY=VALUE"
    assert "--set train_supernet.epochs=5" in caught.value.hint


@pytest.mark.parametrize("value", ["[1", "{a: 1, a: 2}", "*x", "'open", "!!bool maybe", "\t"])
def test_an_assigned_value_that_cannot_be_read_is_refused(value: str) -> None:
    with pytest.raises(ConfigError):
        parse_assignment(f"key={value}")


def test_where_reading_stopped_is_shown(tmp_path: Path) -> None:
    message = refused(tmp_path, "search_space:\n  use: tiny\n width: 4\n")
    assert "look at line 2 '  use: tiny' and line 3 ' width: 4'" in message


def test_a_file_that_is_not_there_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read") as caught:
        read_document(tmp_path / "my.yaml")
    assert caught.value.hint.endswith(f"nascli init > {tmp_path / 'my.yaml'}")
