"""`nascli inspect`: what is in an artifact, and what it was made from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.base import Artifact, read_header
from nascli.artifacts.checkpoint import Checkpoint
from nascli.artifacts.history import History
from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.model import Model
from nascli.artifacts.report import Report
from nascli.artifacts.supernet import SupernetCheckpoint
from nascli.commands.views import as_json, lineage, tables
from nascli.console import out
from nascli.errors import ArtifactError

KINDS: dict[str, type[Artifact[Any]]] = {
    cls.kind: cls for cls in (LookupTable, SupernetCheckpoint, Architecture, History, Model, Report, Checkpoint)
}


def open_any(path: Path) -> Artifact[Any]:
    """Open an artifact of whatever kind.

    Raises:
        ArtifactError: missing, broken, or of a kind that this nascli does not know.
    """
    if path.suffix == ".npy":
        return Architecture.open(path)
    kind = read_header(path).kind
    if kind not in KINDS:
        raise ArtifactError(f"{path}: unknown kind '{kind}'", why=f"known: {', '.join(KINDS)}")
    return KINDS[kind].open(path)


def inspect(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Artifacts of any kind.")],
    show_lineage: Annotated[bool, typer.Option("--lineage", help="Show what it was made from.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object per artifact.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show tracebacks.")] = False,
) -> None:
    """Show what an artifact holds: lookup table, supernet, architecture, history, model or report."""
    out.mode, out.verbose = ("json" if json else "human"), verbose
    for path in paths:
        artifact = open_any(path)
        if show_lineage:
            _lineage(artifact)
        elif json:
            out.json(as_json(artifact))
        else:
            for title, columns, rows in tables(artifact):
                out.table(title, columns, rows)


def _lineage(artifact: Artifact[Any]) -> None:
    if out.mode == "json":
        out.json({"path": str(artifact.path), "header": artifact.header.model_dump(mode="json")})
    else:
        out.text("\n".join(lineage(artifact.header, str(artifact.path))))
