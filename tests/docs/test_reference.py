"""The reference in `docs/` is what the code says, and the help pages say what the docstrings do."""

from __future__ import annotations

import inspect
import re
import shlex
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

from nascli.artifacts.base import read_header
from nascli.artifacts.header import DataRecord, Entry, Header, SpaceRecord
from nascli.cli import COMMANDS, build_app
from nascli.commands.fields import keys
from nascli.commands.opening import KINDS
from nascli.commands.stage_command import add_stage
from nascli.reference import READING, pages
from nascli.stage import Plugin, installed_stages
from tests.conftest import ROOT, Command

GOLDEN = ROOT / "tests/golden/v1"
STAGES = {plugin.name: plugin.stage for plugin in installed_stages() if plugin.stage is not None}
GROUP: Any = typer.main.get_command(build_app())


def function_of(name: str) -> Any:
    """The function behind a command."""
    if name in STAGES:
        return STAGES[name].function
    module, _, attribute = COMMANDS[name][1].partition(":")
    return getattr(import_module(module), attribute)


def examples_of(command: Any) -> list[str]:
    lines = (command.epilog or "").replace("\\[", "[").split("\n\n")
    return [line for line in lines if line.startswith("nascli ")]


EXAMPLES = [example for command in GROUP.commands.values() for example in examples_of(command)]


@pytest.mark.parametrize(("name", "text"), pages().items(), ids=pages())
def test_the_docs_are_current(name: str, text: str) -> None:
    found = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert found == text, "run: python -m nascli.reference"


@pytest.mark.parametrize("name", GROUP.commands)
def test_every_word_of_a_docstring_is_in_its_help(name: str, nascli: Command) -> None:
    shown = nascli(name, "--help", COLUMNS="100").stdout.split()
    assert [word for word in (inspect.getdoc(function_of(name)) or "").split() if word not in shown] == []


def test_words_in_brackets_survive_in_a_help_page(capsys: pytest.CaptureFixture[str]) -> None:
    def documented() -> None:
        """Costs (n_layers,) or [n_layers] or [bold]both[/bold]."""

    stage = STAGES["build-lut"]
    changed = type(stage)(stage.name, documented, stage.config, stage.inputs, stage.output, ("nascli build-lut [x]",))
    app = typer.Typer(rich_markup_mode="rich")
    app.callback()(lambda: None)
    add_stage(app, Plugin("build-lut", "nascli", changed))
    typer.main.get_command(app)(["build-lut", "--help"], standalone_mode=False)
    shown = capsys.readouterr().out
    assert "(n_layers,) or [n_layers] or [bold]both[/bold]." in shown
    assert "nascli build-lut [x]" in shown


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_a_help_page_parses(example: str) -> None:
    name, *arguments = shlex.split(example.partition(" > ")[0])[1:]
    GROUP.commands[name].make_context(name, arguments)


def test_every_stage_has_two_examples() -> None:
    assert [name for name in STAGES if len(examples_of(GROUP.commands[name])) < 2] == []


@pytest.mark.parametrize("model", [Header, SpaceRecord, DataRecord, Entry])
def test_every_key_of_a_header_has_a_description(model: Any) -> None:
    model.model_rebuild()
    assert [key.name for key in keys(model) if not key.description] == []


@pytest.mark.parametrize("path", sorted(GOLDEN.iterdir()), ids=lambda path: path.name)
def test_what_is_documented_of_an_artifact_is_what_is_in_it(path: Path) -> None:
    header = read_header(path)
    patterns = [re.sub("[A-Z]{2,}", ".+", re.escape(name)) for name in KINDS[header.kind].contents]
    names = [entry.name for entry in header.manifest if entry.name]
    assert [name for name in names if not any(re.fullmatch(pattern, name) for pattern in patterns)] == []


def test_the_documented_reader_reads_every_header() -> None:
    scope: dict[str, Any] = {}
    exec(READING.removeprefix("```python\n").removesuffix("```"), scope)
    for path in GOLDEN.iterdir():
        assert scope["header"](str(path))["kind"] == read_header(path).kind
