"""`nascli scaffold`: a component of your own."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
import yaml

from nascli.console import out
from nascli.scaffold import Scaffolded, scaffold

EXAMPLES = (
    "nascli scaffold training-strategy my_training",
    "nascli scaffold search-strategy my_search --class-name LocalSearch --dir components",
)


def scaffold_component(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="training-strategy or search-strategy.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="The file's name, such as my_idea: makes my_idea.py.")],
    class_name: Annotated[
        str | None, typer.Option("--class-name", metavar="CLASS", help="The class's name; without it, MyIdea.")
    ] = None,
    folder: Annotated[
        Path, typer.Option("--dir", metavar="DIR", help="Where the files go, below the working folder.")
    ] = Path(),
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the paths alone.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show tracebacks.")] = False,
) -> None:
    """Write a component of your own that works at once, and its test; print the lines of the YAML that use it."""
    out.mode = "json" if json else "quiet" if quiet else "human"
    out.verbose = verbose
    present(scaffold(kind, name, class_name, folder))


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
        out.text(yaml.safe_dump(made.settings, allow_unicode=True, width=2**20).rstrip())
