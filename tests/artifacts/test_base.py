from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nascli.artifacts.base import FORMATS, same_data, same_space
from nascli.artifacts.formats import using
from nascli.artifacts.header import DataRecord
from nascli.artifacts.model import Model
from nascli.errors import ArtifactError, Mismatch, RunFailed
from nascli.space import Space

from .helpers import DATA, SPACE, model, record


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


@pytest.mark.parametrize("arch", [[0, 2, 9], [0, 2, -1], [0, 2, "x"], [0, 2, [1]]])
def test_a_model_of_an_architecture_that_its_space_does_not_have_is_refused(tmp_path: Path, arch: list[Any]) -> None:
    made = model()
    content = {"arch": arch, "state_dict": {}}
    FORMATS[".pt"].write(tmp_path / "m.pt", made.header.sealed(FORMATS[".pt"].manifest(content)), content)
    with pytest.raises(ArtifactError):
        _ = Model.open(tmp_path / "m.pt").payload


@pytest.mark.parametrize(
    "error", [KeyError("x"), RuntimeError("size\n  mismatch"), TypeError("y"), ZeroDivisionError()]
)
def test_what_contents_lead_to_is_said_of_their_file(error: Exception) -> None:
    with pytest.raises(ArtifactError) as caught, using("a.pt"):
        raise error
    assert caught.value.what.startswith("a.pt: ")
    assert caught.value.why == f"{type(error).__name__}: {' '.join(str(error).split())}"


@pytest.mark.parametrize("error", [RuntimeError("can't allocate memory"), RunFailed("x"), OSError("y")])
def test_what_is_not_the_fault_of_contents_passes(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, using("a.pt"):
        raise error
    assert caught.value is error
