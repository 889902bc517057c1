from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nascli.artifacts.architecture import Architecture, Choice
from nascli.errors import ArtifactError
from nascli.space import Space

from .helpers import SPACE, architecture, record


def saved(path: Path, array: Any) -> Path:
    np.save(path, array)
    return path


def answered(folder: Path) -> Path:
    """The architecture 0,2,1 as a tuner gives it."""
    answer = {"layer_0": {"_value": "skip", "_idx": 0}, "layer_1": {"_value": "wide"}, "layer_2": {"_idex": [1]}}
    (folder / "answer.json").write_text(json.dumps(answer))
    return folder / "answer.json"


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint16, np.dtype(">i4")])
def test_a_vector_of_numpy_is_adopted_by_a_space(tmp_path: Path, dtype: Any) -> None:
    found = Architecture.open(saved(tmp_path / "mine.npy", np.array([0, 2, 1], dtype=dtype)))
    assert found.is_external
    assert (found.adopt(record()).payload, found.adopt(record()).space) == (Choice((0, 2, 1)), record())


def test_a_vector_written_by_hand_is_adopted_by_a_space() -> None:
    found = Architecture.written("0,2,1")
    assert found.is_external
    assert found.adopt(record()).payload == Choice((0, 2, 1))


def test_what_was_adopted_tells_that_it_came_from_outside(tmp_path: Path) -> None:
    adopted = Architecture.written("0,2,1").adopt(record())
    adopted.write(tmp_path / "arch.npy")
    again = Architecture.open(tmp_path / "arch.npy")
    assert again.header.summary == {"origin": "external"}
    assert not again.is_external


def test_what_was_adopted_differs_from_what_was_found() -> None:
    found = Architecture(Choice((0, 2, 1)), space=record()).sealed()
    assert Architecture.written("0,2,1").adopt(record()).header.digest != found.header.digest


def test_one_of_a_search_is_not_external(tmp_path: Path) -> None:
    architecture().write(tmp_path / "arch.npy")
    assert not Architecture.open(tmp_path / "arch.npy").is_external


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0,2", "3 numbers, one for each decision of 'three'"),
        ("0,2,1,0", "3 numbers"),
        ("0,3,1", "decision 'layer_1' takes 0 to 2, found 3"),
        ("0,2,-1", "decision 'layer_2' takes 0 to 2, found -1"),
    ],
)
def test_one_that_does_not_fit_the_space_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    vector = np.array([int(part) for part in text.split(",")])
    for found in (Architecture.written(text), Architecture.open(saved(tmp_path / "mine.npy", vector))):
        with pytest.raises(ArtifactError, match=expected):
            found.adopt(record())


@pytest.mark.parametrize("text", ["", "a,b", "0,,1", "0,2,1,", "0;2;1", "0.5,1", "[0,2,1]", "0,1e3", "9" * 5000])
def test_text_that_is_no_architecture_is_refused(text: str) -> None:
    with pytest.raises(ArtifactError, match="neither a file nor whole numbers with commas"):
        Architecture.written(text)


@pytest.mark.parametrize(
    "array",
    [np.array([0.0, 2.0]), np.array([True, False]), np.array([[0, 2, 1]]), np.array(3), np.array(["0", "2"]),
     np.array([0, 2], dtype="m8[s]"), np.zeros(2, dtype=[("a", int)])],
)  # fmt: skip
def test_an_array_that_is_no_architecture_is_refused(tmp_path: Path, array: Any) -> None:
    with pytest.raises(ArtifactError, match=r"mine\.npy: expected one vector of whole numbers, found shape"):
        Architecture.open(saved(tmp_path / "mine.npy", array))


def test_numbers_beyond_every_index_are_refused_when_adopted() -> None:
    with pytest.raises(ArtifactError):
        Architecture.written(f"0,2,{10**30}").adopt(record())


def test_a_file_of_a_space_that_the_vector_does_not_fit_is_refused(tmp_path: Path) -> None:
    Architecture(Choice((0, 9, 1)), space=record()).write(tmp_path / "arch.npy")
    with pytest.raises(ArtifactError, match="decision 'layer_1' takes 0 to 2, found 9"):
        _ = Architecture.open(tmp_path / "arch.npy").payload
    assert SPACE.check([0, 2, 1]).shape == (1, 3)


def test_one_without_a_space_says_so_when_asked_for_it() -> None:
    with pytest.raises(ArtifactError, match="names no search space"):
        _ = Architecture.written("0,2,1").space


def test_an_answer_tells_its_architecture_to_a_space_alone(tmp_path: Path) -> None:
    found = Architecture.open(answered(tmp_path))
    assert found.is_external
    with pytest.raises(ArtifactError, match="an answer tells its architecture to a search space alone"):
        _ = found.payload
    assert (found.adopt(record()).payload, found.adopt(record()).space) == (Choice((0, 2, 1)), record())


def test_an_answer_is_the_same_input_before_and_after_a_space_adopts_it(tmp_path: Path) -> None:
    found = Architecture.open(answered(tmp_path))
    adopted = found.adopt(record())
    assert found.header.content_id == adopted.header.content_id
    adopted.header.as_input().verify("header", as_input=True)
    (tmp_path / "answer.json").write_text(json.dumps({"layer_0": {"_idx": 0}}))
    assert Architecture.open(tmp_path / "answer.json").header.content_id != found.header.content_id


def test_an_adopted_answer_is_written_as_a_vector(tmp_path: Path) -> None:
    Architecture.open(answered(tmp_path)).adopt(record()).write(tmp_path / "arch.npy")
    assert np.load(tmp_path / "arch.npy").tolist() == [0, 2, 1]
    again = Architecture.open(tmp_path / "arch.npy")
    again.check_file()
    assert (again.payload, again.header.summary) == (Choice((0, 2, 1)), {"origin": "external"})


def test_an_answer_that_does_not_fit_is_refused_with_file_and_key(tmp_path: Path) -> None:
    space = Space("two", SPACE.decisions[:2], (1, 8, 8), 10)
    with pytest.raises(ArtifactError, match=r"answer\.json: key 'layer_2' is no decision of 'two'"):
        Architecture.open(answered(tmp_path)).adopt(record(space))


def test_an_answer_with_a_key_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text('{"layer_0": {"_idx": 0}, "layer_0": {"_idx": 1}}')
    with pytest.raises(ArtifactError) as caught:
        Architecture.open(tmp_path / "answer.json")
    assert "key 'layer_0' stands 2 times" in caught.value.why
