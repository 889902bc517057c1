"""`nascli scaffold`: a component of your own."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from nascli.commands.options import Json, Verbose
from nascli.console import out
from nascli.scaffold import KINDS, Scaffolded, scaffold
from nascli.scaffold.kinds import hyphened

EXAMPLES = (
    "nascli scaffold training-strategy my_training",
    "nascli scaffold search-space my_space --style mutables --class-name MyNetwork --dir components",
)


def scaffold_component(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"{', '.join(map(hyphened, KINDS))}.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="The file's name, such as my_idea: makes my_idea.py.")],
    class_name: Annotated[
        str | None, typer.Option("--class-name", metavar="CLASS", help="The class's name; without it, MyIdea.")
    ] = None,
    folder: Annotated[
        Path, typer.Option("--dir", metavar="DIR", help="Where the files go, below the working folder.")
    ] = Path(),
    style: Annotated[
        str | None,
        typer.Option(
            "--style",
            metavar="STYLE",
            help="How a search-space is written: chain, with the four parts to override; or mutables, a network with "
            "choices in it.",
        ),
    ] = None,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the paths alone.")] = False,
    verbose: Verbose = False,
) -> None:
    """Write a component of your own that works at once, and its test; print the lines of the YAML that use it."""
    out.speak(json, quiet, verbose)
    present(scaffold(kind, name, class_name, folder, style=style))


def present(made: Scaffolded) -> None:
    """Print what was written: the settings, one JSON object, or the paths."""
    if out.mode == "json":
        paths = {"component": str(made.component), "test": str(made.test)}
        out.json({"kind": made.kind, **paths, "reference": made.reference, "settings": made.settings})
    elif out.mode == "quiet":
        out.text(f"{made.component}\n{made.test}")
    else:
        out.note(f"wrote {made.component} and {made.test}; try it: python -m pytest {shlex.quote(str(made.test))}")
        out.note("in the YAML:")
        out.text("".join(_lines(key, value) for key, value in made.settings.items()).rstrip())


def _lines(key: str, value: Any) -> str:
    """A setting in YAML; what is nested deeper stands in one line."""
    nested = isinstance(value, dict) and any(isinstance(item, dict | list) for item in value.values())
    flow = None if nested else False
    return yaml.safe_dump({key: value}, allow_unicode=True, width=2**20, sort_keys=False, default_flow_style=flow)
