"""`nascli list`: the installed stages and components."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Annotated, Any

import typer

from nascli.commands.fields import first_line, rows
from nascli.commands.options import Json, Verbose
from nascli.commands.sources import Definition, definition
from nascli.component import KINDS, find_class, installed, owner
from nascli.config import closest
from nascli.console import out
from nascli.errors import UsageError
from nascli.stage import stage_names

EXAMPLES = (
    "nascli list",
    "nascli list search-space",
    "nascli list search-space --costs",
    "nascli list search-strategy evolution",
    "nascli list meter ./energy.py:Energy",
    "nascli list block",
    "nascli list stages --json",
)


def list_components(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="One kind, such as search-space, or stages.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A component of that kind, or FILE.py:CLASS: show its options."),
    ] = None,
    costs: Annotated[
        bool, typer.Option("--costs", help="Build each search space: its size, parameters of its supernet, MACs.")
    ] = False,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """List the installed stages and components, and where each comes from, without importing them.

    With NAME, the options of one component, as its YAML takes them. With --costs, search spaces are built at their
    default options, which takes up to a minute.
    """
    out.speak(json, verbose=verbose)
    kinds = ("stages", *KINDS, "block")
    wanted = kind.replace("-", "_") if kind else None
    if wanted and wanted not in kinds:
        raise UsageError(f"no kind of component is called '{kind}'{closest(wanted, kinds)}", hint="nascli list")
    if costs and (wanted != "search_space" or name is not None):
        raise UsageError("--costs are those of all search spaces", hint="nascli list search-space --costs")
    if wanted and name is not None:
        _show_options(wanted, name)
        return
    found = {kind: list(_points(kind)) for kind in ((wanted,) if wanted else kinds)}
    if costs:
        _show_costs(found["search_space"])
        return
    if json:
        facts = [_facts(kind, point) for kind, points in found.items() for point in points]
        out.json({"components": facts})
        return
    for kind, points in found.items():
        out.table(kind, ["name", "what it is", "from"], [_row(point) for point in points])


def _show_options(kind: str, name: str) -> None:
    """The options of one component.

    Raises:
        UsageError: a kind whose members have no class with options.
        ComponentError: it cannot be found or imported.
    """
    if kind not in KINDS:
        raise UsageError(f"{kind}: only components have options", hint=f"nascli list {kind}")
    cls = find_class(kind, name)
    found = list(rows(cls.Config))
    if out.mode == "json":
        facts = {"kind": kind, "name": name, "description": first_line(cls.__doc__)}
        out.json({"component": facts | {"options": [row._asdict() for row in found]}})
        return
    out.text(f"{kind} {name}: {first_line(cls.__doc__)}")
    if found:
        columns = ["option", "what it may be", "default", "meaning"]
        shown = [(row.key, row.words, row.default or "required", row.description) for row in found]
        out.table("options", columns, shown)
    else:
        out.text("It has no options.")


def _show_costs(points: Sequence[EntryPoint]) -> None:
    from nascli.commands.costs import measured, tables

    found = []
    with out.progress("measuring search spaces", len(points)) as bar:
        for point in points:
            found.append({**_facts("search_space", point), **measured(point.name)})
            bar.advance(point.name)
    if out.mode == "json":
        out.json({"components": found})
    else:
        for view in tables(found):
            out.table(*view)


def _points(kind: str) -> Iterator[EntryPoint]:
    """The entry points of a kind, stages in the order of the pipeline; a name that two packages claim comes twice."""
    points = installed(kind)
    return (point for name in (stage_names() if kind == "stages" else points) for point in points[name])


def _row(point: EntryPoint) -> list[object]:
    found = definition(point)
    options = f" Options: {', '.join(found.options)}." if found.options else ""
    return [point.name, found.description + options, f"{owner(point)} ({_short(found, point)})"]


def _facts(kind: str, point: EntryPoint) -> dict[str, Any]:
    found = definition(point)
    names = {"kind": kind, "name": point.name, "package": owner(point), "class": point.value}
    file = None if found.file is None else str(found.file)
    options = {"options": list(found.options)} if kind == "block" else {}
    return {**names, "description": found.description, **options, "file": file, "line": found.line}


def _short(found: Definition, point: EntryPoint) -> str:
    """The place, without the folder that the package lies in."""
    if found.file is None:
        return point.value
    depth = point.module.count(".") + (2 if found.file.name == "__init__.py" else 1)
    return found.place.removeprefix(f"{Path(*found.file.parts[:-depth])}/")
