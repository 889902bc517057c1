from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest

from nascli.component import KINDS, Component, Kind, Reference, digest_of, installed, resolve
from nascli.config import Config, Origin, validate
from nascli.criterion.cross_entropy import CrossEntropy
from tests.conftest import Write

LOSS = """
from nascli.criterion.base import Criterion

class Mine(Criterion):
    class Config(Criterion.Config):
        weight: float = 1.0

    config: Config

    def build(self):
        return None
"""


def found(value: Any, base: Path = Path()) -> Reference:
    return resolve("criterion", value, Origin(base=base))


def test_a_name_finds_the_installed_component() -> None:
    reference = found("cross_entropy")
    assert (reference.cls, reference.source, reference.name) == (CrossEntropy, None, "cross_entropy")


def test_a_module_and_a_class_find_it_too() -> None:
    reference = found("nascli.criterion.cross_entropy:CrossEntropy")
    assert (reference.cls, reference.source) == (CrossEntropy, None)


def test_options_stand_beside_the_name() -> None:
    component = found({"use": "cross_entropy", "label_smoothing": 0.25}).build()
    assert component.config.label_smoothing == 0.25


@pytest.mark.parametrize("use", ["./loss.py:Mine", "loss.py:Mine", "../here/loss.py:Mine"])
def test_a_file_is_looked_for_beside_the_yaml(write: Write, tmp_path: Path, use: str) -> None:
    path = write("here/loss.py", LOSS)
    reference = found({"use": use, "weight": 2}, tmp_path / "here")
    assert (reference.build().config.weight, reference.source) == (2, digest_of(path))


def test_an_absolute_path_and_one_with_a_colon_are_files_too(write: Write) -> None:
    path = write("a:b/loss.py", LOSS)
    assert found(f"{path}:Mine").cls.__name__ == "Mine"


def test_a_folder_is_imported_as_a_package(write: Write, tmp_path: Path) -> None:
    write("pack/__init__.py", "from .inner.loss import Mine")
    write("pack/inner/__init__.py", "")
    write("pack/inner/loss.py", LOSS)
    assert found("./pack:Mine", tmp_path).cls.__module__.endswith(".inner.loss")


def test_the_name_of_a_reference_hides_where_its_file_lies(write: Write, tmp_path: Path) -> None:
    write("secret/loss.py", LOSS)
    assert found("./secret/loss.py:Mine", tmp_path).name == "loss.py:Mine"
    assert found("nascli.criterion.cross_entropy:CrossEntropy").name == "nascli.criterion.cross_entropy:CrossEntropy"


def test_a_file_is_imported_once(write: Write, tmp_path: Path) -> None:
    write("loss.py", LOSS)
    assert found("./loss.py:Mine", tmp_path).cls is found("loss.py:Mine", tmp_path).cls


def test_files_of_one_name_in_two_folders_stay_apart(write: Write, tmp_path: Path) -> None:
    write("a/loss.py", LOSS)
    write("b/loss.py", LOSS)
    assert found("./a/loss.py:Mine", tmp_path).cls is not found("./b/loss.py:Mine", tmp_path).cls


def test_a_reference_that_is_resolved_already_is_kept() -> None:
    class Settings(Config):
        criterion: Annotated[Reference, Kind("criterion")]

    reference = found("cross_entropy")
    assert validate(Settings, {"criterion": reference}, Origin()).criterion is reference


REQUIRED = {
    "chain": {"search": [{"out": 8}], "candidates": [{"op": "skip"}]},
    "image_folder": {"path": "images"},
    "faces": {"path": "images"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_installed_component_is_complete_and_has_defaults(kind: str) -> None:
    for name in installed(kind):
        reference = resolve(kind, {"use": name, **REQUIRED.get(name, {})})
        assert isinstance(reference.build(), Component), name


def test_a_component_takes_its_own_settings_alone() -> None:
    class Other(Config):
        pass

    with pytest.raises(TypeError, match=r"takes a CrossEntropy\.Config"):
        CrossEntropy(Other())
