"""A folder: "files", each with "path", "kind", "space", "digest", "state", "why" and "renew".

States: "current"; "stale", made from another file than the one of that kind that is there now, or from a stale one;
"unfinished", the checkpoint of a run; "unreadable".
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nascli.artifacts.base import Artifact
from nascli.artifacts.checkpoint import Checkpoint
from nascli.artifacts.comparison import Comparison
from nascli.artifacts.header import Header
from nascli.commands.opening import artifact_files, open_any
from nascli.commands.views.common import View
from nascli.errors import ArtifactError


def facts(folder: Path) -> dict[str, Any]:
    """What is in a folder, by name."""
    opened: list[Artifact[Any]] = []
    unreadable: list[dict[str, Any]] = []
    for path in artifact_files(folder):
        try:
            opened.append(open_any(path))
        except ArtifactError as error:
            unreadable.append(_row(path, None, "unreadable", error.what.removeprefix(f"{path}: ")))
    files = sorted([*_judged(opened), *unreadable], key=lambda row: str(row["path"]))
    return {"schema": "nascli.inspect.folder/1", "path": str(folder), "files": files}


def _row(path: Path | None, header: Header | None, state: str, why: str = "", renew: str = "") -> dict[str, Any]:
    space = header.space.use if header and header.space else None
    about = {"kind": header.kind if header else None, "space": space, "digest": header.digest if header else None}
    return {"path": str(path), **about, "state": state, "why": why, "renew": renew}


def _judged(artifacts: Sequence[Artifact[Any]]) -> Iterator[dict[str, Any]]:
    running = [a for a in artifacts if isinstance(a, Checkpoint) or (a.path and a.path.parent.suffix == ".run")]
    there = [a for a in artifacts if a not in running]
    for artifact in running:
        yield _row(artifact.path, artifact.header, "unfinished", renew=_command(artifact, "--resume"))
    for artifact in there:
        why = _stale(artifact.header, there)
        flags = () if isinstance(artifact, Comparison) else ("--force",)
        renew = _command(artifact, *flags) if why else ""
        yield _row(artifact.path, artifact.header, "stale" if why else "current", why, renew)


def _stale(header: Header, there: Sequence[Artifact[Any]]) -> str:
    """Why an artifact should be made anew; empty when nothing speaks for it.

    An input of which the folder holds no file of that kind says nothing. Inputs are acyclic, as digests are.
    """
    for role, source in header.inputs.items():
        same_kind = [a for a in there if a.kind == source.kind]
        found = next((a for a in same_kind if a.header.content_id == source.content_id), None)
        if same_kind and found is None:
            names = " or ".join(f"{a.path.name} ({a.header.digest[:12]})" for a in same_kind if a.path)
            return f"made from another --{role} ({source.digest[:12]}) than {names}"
        made = found is not None and found.header.digest == source.digest
        if made and found and found.path and _stale(found.header, there):
            return f"its --{role} {found.path.name} is stale"
    return ""


def _command(artifact: Artifact[Any], *flags: str) -> str:
    """The command that made an artifact, with `flags`; where it is not recorded, the usual one."""
    recorded = str(artifact.header.provenance.get("command", ""))
    try:
        words = shlex.split(recorded)[1:]
    except ValueError:
        words = []
    if not words:
        return " ".join((artifact.made_by, *flags))
    kept = [word for word in words if word not in ("--force", "--resume", "--skip-if-current")]
    return shlex.join(["nascli", *kept, *flags])


def tables(facts: Mapping[str, Any]) -> Iterator[View]:
    """The artifacts, and what to do about those that are not current."""
    folder = Path(facts["path"])
    rows: list[list[object]] = [
        [Path(f["path"]).relative_to(folder), f["kind"], f["space"], (f["digest"] or "")[:12], f["state"]]
        for f in facts["files"]
    ]
    yield f"artifacts in {folder}", ["file", "kind", "space", "digest", "state"], rows
    odd: list[list[object]] = [
        [Path(f["path"]).relative_to(folder), f["why"] or f["state"], f["renew"]]
        for f in facts["files"]
        if f["state"] != "current"
    ]
    if odd:
        yield "what to do", ["file", "why", "renew it with"], odd
