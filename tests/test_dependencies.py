"""Each dependency has a lower bound, which `nox -s tests_min` tries, and a word about what needs it."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from tests.conftest import ROOT

TEXT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROJECT: dict[str, Any] = tomllib.loads(TEXT)["project"]
EXTRAS: dict[str, list[str]] = {k: v for k, v in PROJECT["optional-dependencies"].items() if k not in ("all", "dev")}
LINES = TEXT[TEXT.index("[project]") : TEXT.index("[project.scripts]")].splitlines()
NEEDED = [*PROJECT["dependencies"], *(item for items in EXTRAS.values() for item in items)]


@pytest.mark.parametrize("item", NEEDED)
def test_a_dependency_has_one_lower_bound_and_no_upper_one(item: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9-]+>=[0-9.]+", item)


@pytest.mark.parametrize("item", [*NEEDED, *PROJECT["optional-dependencies"]["dev"]])
def test_a_dependency_says_what_needs_it(item: str) -> None:
    (line,) = [line for line in LINES if f'"{item}"' in line]
    assert re.search(r"\]?,?  # \w", line)
    for file in re.findall(r"[a-z_]+/[a-z_]+\.py", line):
        assert (ROOT / "nascli" / file).exists()
