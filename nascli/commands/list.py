"""`nascli list`: the installed components."""

from __future__ import annotations

from typing import Annotated

import typer

from nascli.component import KINDS, installed
from nascli.config import closest
from nascli.console import out
from nascli.errors import UsageError


def list_components(
    kind: Annotated[str | None, typer.Argument(metavar="[KIND]", help="One kind, such as search-space.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the installed components and where each comes from, without importing them."""
    out.mode = "json" if json else "human"
    wanted = kind.replace("-", "_") if kind else None
    if wanted and wanted not in KINDS:
        raise UsageError(f"no kind of component is called '{kind}'{closest(wanted, KINDS)}")
    rows = [
        (name, point.name, point.dist.name if point.dist else "", point.value)
        for name in ([wanted] if wanted else KINDS)
        for point in installed(name).values()
    ]
    if json:
        keys = ("kind", "name", "package", "class")
        out.json({"components": [dict(zip(keys, row, strict=True)) for row in rows]})
    else:
        out.table("components", ["kind", "name", "package", "class"], rows)
