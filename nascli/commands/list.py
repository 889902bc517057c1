"""`nascli list`: the installed stages and components."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Annotated, Any

import typer

from nascli.commands.options import Json, Verbose
from nascli.commands.sources import Definition, definition
from nascli.component import KINDS, installed, owner
from nascli.config import closest
from nascli.console import out
from nascli.errors import UsageError
from nascli.stage import stage_names

EXAMPLES = (
    "nascli list",
    "nascli list search-space",
    "nascli list search-space --costs",
    "nascli list block",
    "nascli list stages --json",
)


def list_components(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="One kind, such as search-space, or stages.")
    ] = None,
    costs: Annotated[
        bool, typer.Option("--costs", help="Build each search space: its size, parameters of its supernet, MACs.")
    ] = False,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """List the installed stages and components, and where each comes from, without importing them.

    With --costs, search spaces are built at their default options, which takes up to a minute.
    """
    out.speak(json, verbose=verbose)
    kinds = ("stages", *KINDS, "block")
    wanted = kind.replace("-", "_") if kind else None
    if wanted and wanted not in kinds:
        raise UsageError(f"no kind of component is called '{kind}'{closest(wanted, kinds)}", hint="nascli list")
    if costs and wanted != "search_space":
        raise UsageError("--costs are those of search spaces", hint="nascli list search-space --costs")
    found = {name: list(_points(name)) for name in ((wanted,) if wanted else kinds)}
    if costs:
        _show_costs(found["search_space"])
        return
    if json:
        rows = [_facts(name, point) for name, points in found.items() for point in points]
        out.json({"components": rows})
        return
    for name, points in found.items():
        out.table(name, ["name", "what it is", "from"], [_row(point) for point in points])


def _show_costs(points: Sequence[EntryPoint]) -> None:
    from nascli.commands.costs import measured, tables

    rows = []
    with out.progress("measuring search spaces", len(points)) as bar:
        for point in points:
            rows.append({**_facts("search_space", point), **measured(point.name)})
            bar.advance(point.name)
    if out.mode == "json":
        out.json({"components": rows})
    else:
        for view in tables(rows):
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
