"""`nascli inspect`: what is in an artifact, what it was made from, and how two of them differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.base import Artifact
from nascli.artifacts.formats import using
from nascli.artifacts.lookup_table import LookupTable
from nascli.commands.opening import Subject, artifact_files, open_any, open_subject
from nascli.commands.options import Json, Verbose
from nascli.commands.views import (
    architecture,
    as_json,
    check,
    difference,
    folder,
    lineage,
    space,
    tables_of,
    warnings_of,
)
from nascli.commands.views.common import View
from nascli.component import Reference
from nascli.config import closest
from nascli.console import out
from nascli.errors import ArtifactError, UsageError
from nascli.space.exchange import to_answer, to_nni

__all__ = ["inspect", "open_any"]

EXAMPLES = (
    "nascli inspect arch.npy",
    "nascli inspect lut.h5 arch.npy",
    "nascli inspect --lineage report.json",
    "nascli inspect . --json",
    "nascli inspect tiny --as nni > space.json",
)
FORMATS = ("nni",)

Seen = tuple[dict[str, Any], Iterable[View]]


def inspect(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Artifacts, folders, or a search space.")],
    show_lineage: Annotated[bool, typer.Option("--lineage", help="Show what it was made from.")] = False,
    check_files: Annotated[bool, typer.Option("--check", help="Check digests and schema; exit 3 if any is wrong.")] = (
        False
    ),
    form: Annotated[
        str | None,
        typer.Option("--as", metavar="FORMAT", help="Print a search space or an architecture in the JSON of NNI: nni."),
    ] = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show what an artifact, a folder of artifacts or a search space holds.

    Two artifacts of one kind: what differs. A lookup table and an architecture: what each layer costs.
    A folder: what is there, and what is stale because its inputs were made anew.
    """
    out.speak(json, verbose=verbose)
    if sum((show_lineage, check_files, form is not None)) > 1:
        raise UsageError("--lineage, --check and --as exclude each other", hint="nascli inspect --check PATH")
    if form is not None:
        out.json(_exchanged(form, paths))
    elif check_files:
        _check(_files(paths))
    elif show_lineage:
        _lineage(_files(paths))
    else:
        _show([open_subject(text) for text in paths])


def _exchanged(form: str, paths: Sequence[str]) -> dict[str, Any]:
    """A search space, or an architecture, in the JSON of another tool."""
    if form not in FORMATS:
        raise UsageError(f"--as {form}: no such format{closest(form, FORMATS)}", why=f"known: {', '.join(FORMATS)}")
    if len(paths) != 1:
        raise UsageError(f"--as {form} takes one search space or one architecture, found {len(paths)} paths")
    subject = open_subject(paths[0])
    if isinstance(subject, Reference):
        return to_nni(subject.build().space)
    if isinstance(subject, Architecture):
        return to_answer(subject.space.space(), subject.payload.arch)
    kind = "folder" if isinstance(subject, Path) else subject.kind
    raise UsageError(f"--as {form} takes a search space or an architecture, {paths[0]} is a {kind}")


def _files(paths: Sequence[str]) -> list[Path]:
    """The files named, and for a folder those in it."""
    files = []
    for path in map(Path, paths):
        files += artifact_files(path) if path.is_dir() else [path]
    if not files:
        raise ArtifactError(f"{', '.join(paths)}: no artifact is there")
    return files


def _check(files: Sequence[Path]) -> None:
    found = check.facts(files)
    if out.mode == "json":
        out.json(found)
    else:
        out.text("\n".join(check.lines(found)))
    wrong = [file for file in found["files"] if not file["ok"]]
    if wrong:
        what = f"wrong: {len(wrong)} of {len(files)} files"
        hint = next((file["hint"] for file in wrong if file["hint"]), "make it again with the stage that wrote it")
        raise ArtifactError(what, why=wrong[0]["error"], hint=hint)


def _lineage(files: Sequence[Path]) -> None:
    artifacts = [open_any(path) for path in files]
    if out.mode == "json":
        _print_json([lineage.facts(artifact) for artifact in artifacts])
    else:
        for artifact in artifacts:
            out.text("\n".join(lineage.lines(artifact.header, str(artifact.path))))


def _show(subjects: Sequence[Subject]) -> None:
    pair = _pair(subjects)
    seen = [pair] if pair else [_look(subject) for subject in subjects]
    for facts, _ in seen:
        for sentence in warnings_of(facts):
            out.warning(sentence)
    if out.mode == "json":
        _print_json([facts for facts, _ in seen])
        return
    for _, views in seen:
        for view in views:
            out.table(*view)


def _print_json(items: Sequence[Mapping[str, Any]]) -> None:
    out.json(items[0] if len(items) == 1 else {"schema": "nascli.inspect.several/1", "items": list(items)})


def _pair(subjects: Sequence[Subject]) -> Seen | None:
    """What two artifacts are to each other; None where they are shown in turn."""
    match subjects:
        case [LookupTable() as lut, Architecture() as arch] | [Architecture() as arch, LookupTable() as lut]:
            with using(f"{lut.path} with {arch.path}"):
                found = architecture.cost_shares(lut, arch)
                return found, list(architecture.share_tables(found))
        case [Artifact() as first, Artifact() as second] if first.kind == second.kind:
            with using(f"{first.path} or {second.path}"):
                found = difference.facts(first, second)
                return found, list(difference.tables(found))
    return None


def _look(subject: Subject) -> Seen:
    if isinstance(subject, Path):
        found = folder.facts(subject)
        return found, folder.tables(found)
    if isinstance(subject, Reference):
        found = space.facts(subject)
        return found, space.tables(found)
    found = as_json(subject)
    return found, tables_of(found)
