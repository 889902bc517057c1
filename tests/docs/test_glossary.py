"""The glossary: its names exist, and what a thing is never called stands nowhere else."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel

from nascli.cli import build_app
from nascli.commands.opening import KINDS
from nascli.component import Reference, resolve
from nascli.stage import installed_stages
from tests.conftest import ROOT

TEXT = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in TEXT.splitlines() if line.startswith("| ")]
TERMS = {row[0]: dict(zip(ROWS[0], row, strict=True)) for row in ROWS if row[0] not in ("term", "---")}
GROUP: Any = typer.main.get_command(build_app())
WORDS = {word for row in TERMS.values() for word in row["never called"].split(", ") if word}
FOREIGN = ("docs/glossary.md", "docs/migration.md", "nascli/cost/formats/")  # what others call it
PLACES = [
    *(ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")),
    *(path for folder in ("nascli", "stages", "examples") for path in (ROOT / folder).rglob("*.*")),
]


def names(column: str) -> list[tuple[str, str]]:
    """(term, name) for every name of a column."""
    return [(term, name) for term, row in TERMS.items() for name in re.findall(r"`([^`]+)`", row[column])]


def found(dotted: str) -> Any:
    """The object of a dotted name."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        try:
            value = import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for name in parts[end:]:
            value = getattr(value, name)
        return value
    raise LookupError(dotted)


def keys() -> set[str]:
    """Every key of the YAML that stands in a stage's section, and below in its components, with and without a path."""
    known = {"use", "op", "stages"}
    for plugin in installed_stages():
        assert plugin.stage is not None
        known |= {plugin.stage.section}
        for name, field in plugin.stage.config.model_fields.items():
            known |= {name, f"{plugin.stage.section}.{name}"}
            default = field.get_default(call_default_factory=True)
            options = default.options if isinstance(default, Reference) else None
            if name in plugin.stage.components and default is not None:
                options = resolve(name, default).options if options is None else options
            if isinstance(options, BaseModel):
                known |= {f"{name}.{key}" for key in type(options).model_fields}
    return known | {"search_space.candidates"}


@pytest.mark.parametrize(("term", "name"), names("code"))
def test_every_name_of_the_code_exists(term: str, name: str) -> None:
    assert found(name) is not None


def test_every_key_of_the_yaml_exists() -> None:
    known = keys()
    assert [name for _, name in names("YAML") if name not in known] == []


def test_every_command_and_option_exists() -> None:
    options = {option for command in GROUP.commands.values() for param in command.params for option in param.opts}
    assert [name for _, name in names("command line") if name not in {*GROUP.commands, *options}] == []


def test_every_kind_of_artifact_has_its_term() -> None:
    assert sorted(name for _, name in names("artifact")) == sorted(KINDS)


def test_a_term_stands_there_once() -> None:
    terms = [row[0] for row in ROWS if row[0] not in ("term", "---")]
    assert len(terms) == len(set(terms))


@pytest.mark.parametrize("word", sorted(WORDS))
def test_what_a_thing_is_never_called_is_used_nowhere(word: str) -> None:
    pattern = re.compile(rf"\b{re.escape(word)}s?\b", re.IGNORECASE)
    assert [str(path.relative_to(ROOT)) for path in PLACES if uses(path, pattern)] == []


def uses(path: Path, pattern: re.Pattern[str]) -> bool:
    """Whether a text file has the word."""
    if str(path.relative_to(ROOT)).startswith(FOREIGN):
        return False
    is_text = path.suffix in (".py", ".txt", ".md", ".yaml", ".sh")
    return is_text and pattern.search(path.read_text(encoding="utf-8")) is not None
