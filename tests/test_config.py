from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from nascli.config import Config, Origin, closest, validate
from nascli.document import Document, read_document
from nascli.errors import ConfigError


class Inner(Config):
    momentum: float = 0.9
    nesterov: bool = True


class Outer(Config):
    epochs: int
    rate: float = 0.1
    name: str = "sgd"
    shape: tuple[int, ...] = ()
    optimizer: Inner = Inner()


def document(tmp_path: Path, text: str | bytes) -> Document:
    path = tmp_path / "run.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_document(path)


def checked(tmp_path: Path, text: str) -> Outer:
    found = document(tmp_path, text)
    return validate(Outer, found.data, Origin(found.places))


def wrong(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        checked(tmp_path, text)
    return str(caught.value).replace(f"{tmp_path}/", "")


class Files(Config):
    path: Path
    other: Path | None = None
    several: tuple[Path, ...] = ()
    text: str | Path = ""


def test_text_stands_for_a_path_where_one_is_expected(tmp_path: Path) -> None:
    found = document(tmp_path, "path: a.csv\nother: b\nseveral: [c, d]\ntext: e\n")
    told = validate(Files, found.data, Origin())
    assert (told.path, told.other, told.several, told.text) == (Path("a.csv"), Path("b"), (Path("c"), Path("d")), "e")


@pytest.mark.parametrize("value", ["3", "true", "null", "[a]"])
def test_a_path_is_text_and_nothing_else(tmp_path: Path, value: str) -> None:
    with pytest.raises(ConfigError, match="'path'"):
        validate(Files, document(tmp_path, f"path: {value}\n").data, Origin())


# --- Document.put ----------------------------------------------------------------------------------------------------


def test_put_makes_the_mappings_above_a_key() -> None:
    found = Document()
    found.put(("a", "b", "c"), 1, "--set")
    assert (found.data, found.places) == ({"a": {"b": {"c": 1}}}, {("a", "b", "c"): "--set"})


def test_an_option_below_a_bare_name_keeps_the_component() -> None:
    found = Document({"dataflow": "digits"})
    found.put(("dataflow", "batch_size"), 8, "--set")
    assert found.data == {"dataflow": {"use": "digits", "batch_size": 8}}


def test_a_new_component_drops_the_options_of_the_old_one() -> None:
    found = Document({"search_strategy": {"use": "evolution", "population": 32}})
    found.put(("search_strategy", "use"), "random", "--set")
    assert found.data == {"search_strategy": {"use": "random"}}


@pytest.mark.parametrize("value", [3, (1, 2), True, 0.5])
def test_a_key_below_a_plain_value_is_refused_with_its_place(value: Any) -> None:
    found = Document({"train_supernet": {"epochs": value}})
    with pytest.raises(ConfigError, match=r"^--set x: 'train_supernet\.epochs' is .*, so it has no keys"):
        found.put(("train_supernet", "epochs", "deep"), 1, "--set x")


# --- validate --------------------------------------------------------------------------------------------------------


def test_settings_are_frozen(tmp_path: Path) -> None:
    found = checked(tmp_path, "epochs: 2\nshape: [1, 2]\n")
    assert (found.epochs, found.shape) == (2, (1, 2))
    with pytest.raises(ValueError, match="frozen"):
        found.epochs = 3  # type: ignore[misc]


def test_whole_numbers_stand_for_real_ones_and_not_the_other_way_round(tmp_path: Path) -> None:
    assert checked(tmp_path, "epochs: 2\nrate: 1\n").rate == 1.0
    assert "run.yaml:1: 'epochs': Input should be a valid integer, found 2.0" in wrong(tmp_path, "epochs: 2.0")


@pytest.mark.parametrize("value", ["'2'", "true", "2.5", "[2]", "two", ""])
def test_values_are_not_converted(tmp_path: Path, value: str) -> None:
    assert "run.yaml:1: 'epochs'" in wrong(tmp_path, f"epochs: {value}")


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_real_settings_are_finite(number: float) -> None:
    with pytest.raises(ConfigError, match="'rate': Input should be a finite number"):
        validate(Outer, {"epochs": 1, "rate": number}, Origin())


def test_an_unknown_key_names_its_place_and_the_closest_one(tmp_path: Path) -> None:
    message = wrong(tmp_path, "epochs: 1\nrat: 2\n")
    assert message == "run.yaml:2: unknown key 'rat'; did you mean 'rate'?"


def test_an_unknown_key_below_names_its_path(tmp_path: Path) -> None:
    message = wrong(tmp_path, "epochs: 1\noptimizer:\n  momentm: 0.5\n")
    assert message == "run.yaml:3: unknown key 'optimizer.momentm'; did you mean 'momentum'?"


def test_a_key_that_is_close_to_none_lists_what_there_is(tmp_path: Path) -> None:
    assert "known: epochs, name, optimizer, rate, shape" in wrong(tmp_path, "epochs: 1\nxyz: 2\n")


def test_all_errors_are_told_at_once_each_with_its_place(tmp_path: Path) -> None:
    message = wrong(tmp_path, "rate: fast\nname: 3\noptimizer:\n  nesterov: on\n  x: 1\n")
    assert "'epochs' is missing" in message
    for place in ("run.yaml:1: 'rate'", "run.yaml:2: 'name'", "run.yaml:4: 'optimizer.nesterov'", "run.yaml:5: "):
        assert place in message


def test_more_than_five_errors_are_counted() -> None:
    with pytest.raises(ConfigError, match="and 3 more"):
        validate(Outer, {"epochs": 1, **{f"x{i}": 1 for i in range(8)}}, Origin())


def test_a_value_of_the_wrong_type_is_told_in_words_of_the_yaml(tmp_path: Path) -> None:
    assert "'shape': Input should be a list, found 3" in wrong(tmp_path, "epochs: 1\nshape: 3\n")
    with pytest.raises(ConfigError, match="'path': Input should be a path, found 3"):
        validate(Files, {"path": 3}, Origin())


def test_null_where_a_value_must_be_says_so(tmp_path: Path) -> None:
    assert "run.yaml:1: 'epochs' is null, and must have a value" in wrong(tmp_path, "epochs: null\n")


def test_a_long_wrong_value_is_shortened() -> None:
    with pytest.raises(ConfigError) as caught:
        validate(Outer, {"epochs": "x" * 5000}, Origin())
    assert len(caught.value.what) < 200


def test_the_place_of_a_default_below_is_that_of_the_key_above() -> None:
    origin = Origin({("a", "b"): "run.yaml:7"}, ("a",))
    assert origin.of(("b", "c", "d")) == "run.yaml:7"
    assert origin.child("b").of(("c",)) == "run.yaml:7"
    assert origin.of(("z",)) == ""


@pytest.mark.parametrize(
    ("word", "names", "expected"),
    [("epoch", ["seed", "epochs"], "; did you mean 'epochs'?"), ("q", ["b", "a"], "; known: a, b"), ("q", [], "")],
)
def test_closest_suggests_or_lists(word: str, names: list[str], expected: str) -> None:
    assert closest(word, names) == expected
