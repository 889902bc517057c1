"""Checks: "files", each with "path", "ok", and the kind and digest or the error that was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.lookup_table import LookupTable
from nascli.commands.opening import open_any
from nascli.commands.views.common import one_line
from nascli.errors import NascliError


def facts(paths: Sequence[Path]) -> dict[str, Any]:
    """Each file read whole: the digests of header and contents, the schema of both, the costs of a table."""
    return {"schema": "nascli.inspect.check/1", "files": [_checked(path) for path in paths]}


def _checked(path: Path) -> dict[str, Any]:
    try:
        artifact = open_any(path)
        artifact.check_file()
        if isinstance(artifact, LookupTable):
            from nascli.cost.table import from_table

            from_table(artifact.payload, artifact.space.space())
        elif not (isinstance(artifact, Architecture) and artifact.answer):
            _ = artifact.payload
    except NascliError as error:
        return {"path": str(path), "ok": False, "error": error.what, "why": error.why, "hint": error.hint}
    return {"path": str(path), "ok": True, "kind": artifact.kind, "digest": artifact.header.digest}


def lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """A line for each file."""
    for file in facts["files"]:
        if file["ok"]:
            yield one_line(f"ok     {file['path']}  {file['kind']}  {file['digest'][:12]}")
        else:
            where = "" if file["error"].startswith(file["path"]) else f"{file['path']}: "
            why = f" ({file['why']})" if file["why"] else ""
            yield one_line(f"wrong  {where}{file['error']}{why}")
