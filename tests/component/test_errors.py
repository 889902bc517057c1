from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import pytest

from nascli.component import Kind, Reference, resolve
from nascli.config import Config, Origin, validate
from nascli.errors import ComponentError, ConfigError
from tests.conftest import Write

from .test_references import LOSS, found


def refused(value: Any, base: Path = Path()) -> str:
    with pytest.raises(ComponentError) as caught:
        found(value, base)
    assert caught.value.exit_code == 2
    return str(caught.value)


def user_modules() -> set[str]:
    return {name for name in sys.modules if name.startswith("nascli_user_")}


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, 3, [], ["cross_entropy"], {"label_smoothing": 0.1}, {"use": 3}, {}])
def test_what_is_no_reference_is_refused(value: Any) -> None:
    assert "expected a name or {use: name" in refused(value)


def test_an_unknown_name_suggests_the_closest_and_a_file_of_ones_own() -> None:
    message = refused("cross_entrpy")
    assert "did you mean 'cross_entropy'?" in message
    assert "{use: ./file.py:Class}" in message


@pytest.mark.parametrize("text", ["class Mine: pass", "Mine = 3", "def Mine(): pass"])
def test_what_does_not_inherit_the_base_is_refused(write: Write, tmp_path: Path, text: str) -> None:
    write("loss.py", text)
    message = refused("./loss.py:Mine", tmp_path)
    assert "is not a Criterion" in message
    assert "inherits nascli.criterion.base.Criterion" in message


def test_a_component_of_another_kind_is_refused() -> None:
    with pytest.raises(ComponentError, match="is not a Dataflow"):
        resolve("dataflow", "nascli.criterion.cross_entropy:CrossEntropy")


def test_a_class_that_is_not_in_the_file_is_told_with_those_that_are(write: Write, tmp_path: Path) -> None:
    write("loss.py", "from torch import nn\nclass Loss(nn.Module): ...\nclass Mine(Loss): ...\n")
    message = refused("./loss.py:Mien", tmp_path)
    assert "did you mean 'Mine'?" in message
    assert message.endswith("what it has: Loss, Mine")


def test_a_file_with_a_typing_error_is_told_with_the_closest(write: Write, tmp_path: Path) -> None:
    write("my_loss.py", LOSS)
    message = refused("./myloss.py:Mine", tmp_path)
    assert "did you mean 'my_loss.py'?" in message
    assert "nascli scaffold criterion my_criterion" in message


def test_an_incomplete_class_is_refused_with_what_it_lacks(write: Write, tmp_path: Path) -> None:
    write("loss.py", "from nascli.criterion.base import Criterion\nclass Mine(Criterion): pass")
    assert "it lacks build" in refused("./loss.py:Mine", tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\ndef f(:\n", r"SyntaxError.*line 2"),
        ("x = 1\n\n1 / 0\n", r"ZeroDivisionError.*\(loss\.py, line 3\)"),
        ("def f():\n    raise RuntimeError('[n]')\nf()\n", r"RuntimeError: \[n\] \(loss\.py, line 2\)"),
        ("\nimport no_such_module\n", r"ModuleNotFoundError.*no_such_module.*\(loss\.py, line 2\)"),
        ("raise SystemExit(0)\n", r"SystemExit.*line 1"),
        (
            "from nascli.component import resolve\nresolve('criterion', 'x')\n",
            r"ComponentError[\s\S]*, line 2\)",
        ),
    ],
)
def test_a_file_that_does_not_import_is_told_with_its_line(
    write: Write, tmp_path: Path, text: str, expected: str
) -> None:
    path, before = write("loss.py", text), user_modules()
    with pytest.raises(ComponentError, match=rf"loss\.py could not be imported\n{expected}"):
        found(f"{path}:Mine", tmp_path)
    assert user_modules() == before


def test_a_failed_package_leaves_no_part_of_itself(write: Write, tmp_path: Path) -> None:
    write("pack/__init__.py", "from .inner import Mine\n1 / 0\n")
    write("pack/inner.py", LOSS)
    before = user_modules()
    assert "could not be imported" in refused("./pack:Mine", tmp_path)
    assert user_modules() == before


def test_a_failed_file_can_be_mended_and_named_again(write: Write, tmp_path: Path) -> None:
    write("loss.py", "1 / 0")
    refused("./loss.py:Mine", tmp_path)
    write("loss.py", LOSS)
    assert found("./loss.py:Mine", tmp_path).cls.__name__ == "Mine"


def test_an_installed_module_that_is_not_there_is_told_without_a_line_of_pythons_own() -> None:
    assert refused("no_such_module:Mine").splitlines()[1] == "ModuleNotFoundError: No module named 'no_such_module'"


@pytest.mark.parametrize("use", ["./gone.py:Mine", "./empty:Mine"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, use: str) -> None:
    (tmp_path / "empty").mkdir()
    assert f"no such file: {tmp_path}" in refused(use, tmp_path)


def test_a_class_that_is_not_in_the_file_suggests_the_closest(write: Write, tmp_path: Path) -> None:
    write("loss.py", LOSS)
    assert "has no class 'Mien'; did you mean 'Mine'?" in refused("./loss.py:Mien", tmp_path)


# --- places ----------------------------------------------------------------------------------------------------------


def test_errors_begin_with_the_place_of_the_reference() -> None:
    origin = Origin({("criterion",): "run.yaml:3"}, ("criterion",))
    with pytest.raises(ComponentError, match=r"^run\.yaml:3: no criterion is called 'x'"):
        resolve("criterion", "x", origin)


def test_wrong_options_are_told_with_their_place() -> None:
    origin = Origin({("criterion", "label_smooth"): "run.yaml:4"}, ("criterion",))
    with pytest.raises(ConfigError, match=r"^run\.yaml:4: unknown key 'criterion\.label_smooth'; did you mean"):
        resolve("criterion", {"use": "cross_entropy", "label_smooth": 0.1}, origin)


def test_errors_below_a_setting_keep_the_exit_code_and_the_place() -> None:
    class Settings(Config):
        criterion: Annotated[Reference, Kind("criterion")]

    with pytest.raises(ComponentError, match=r"^run\.yaml:9: no criterion"):
        validate(Settings, {"criterion": {"use": "x"}}, Origin({("criterion",): "run.yaml:9"}))
