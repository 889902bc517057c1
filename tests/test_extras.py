"""What a user is told where a package of an extra is missing, or is there and cannot be imported."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from nascli.errors import UsageError
from nascli.extras import EXTRAS, need
from tests.conftest import ROOT


def test_the_extras_are_those_of_the_project() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    known: dict[str, set[str]] = {}
    for name, extra in EXTRAS.values():
        known.setdefault(extra, set()).add(name)
    assert known == {
        extra: {item.partition(">=")[0] for item in items}
        for extra, items in told.items()
        if extra not in ("all", "dev")
    }


def test_all_is_every_extra_but_that_of_developers() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (item,) = told["all"]
    assert set(item.removeprefix("nascli[").removesuffix("]").split(",")) == told.keys() - {"all", "dev"}


@pytest.mark.parametrize("package", EXTRAS)
def test_a_missing_package_is_named_with_its_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    name, extra = EXTRAS[package]
    with pytest.raises(UsageError) as caught:
        need("this", package, instead="leave it")
    assert caught.value.what == f"this needs the package {name}"
    assert package in caught.value.why
    assert caught.value.hint == f"pip install 'nascli[{extra}]', or leave it"


def test_a_package_that_cannot_be_imported_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "optuna.py").write_text("raise ImportError('libother.so.5: no such file')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "optuna", raising=False)
    with pytest.raises(UsageError) as caught:
        need("this", "optuna")
    assert caught.value.why == "libother.so.5: no such file"
    assert caught.value.hint == "pip install 'nascli[optuna]'"


def test_what_is_there_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXTRAS, "json", ("json", "all"))
    need("this", "json")
