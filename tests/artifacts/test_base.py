from __future__ import annotations

import pytest

from nascli.artifacts.base import same_data, same_space
from nascli.artifacts.header import DataRecord
from nascli.errors import Mismatch
from nascli.space import Space

from .helpers import DATA, SPACE, record


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
