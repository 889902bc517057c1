"""Lineage as a graph: every artifact that the named ones were made from, down to space and data."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.base import Artifact
from nascli.artifacts.comparison import Comparison
from nascli.artifacts.header import Header
from nascli.artifacts.history import History
from nascli.artifacts.mistakes import Mistakes
from nascli.artifacts.report import Report
from nascli.commands.opening import KINDS
from nascli.commands.reporting.layout import Graph, laid_out
from nascli.commands.reporting.material import Material, name_of
from nascli.commands.reporting.parts import Diagram, Section, Table
from nascli.commands.views.common import one_line

SHORT = 12  # characters of a digest
PROGRAMS = ("nascli", "__main__.py")
WIDEST = 25  # characters in a box


def sections(material: Material) -> Iterator[Section]:
    """The graph, and the same as a table."""
    graph = Graph()
    rows: dict[str, list[object]] = {}
    beside = _sides(material)
    for artifact in material.artifacts:
        if artifact.header.digest not in {side.header.digest for sides in beside.values() for side in sides}:
            _add(graph, rows, artifact.header, name_of(artifact))
    for key, sides in beside.items():
        graph.boxes[key]["lines"] += [_fitting(f"+ {name_of(side)}") for side in sides]
    drawn = laid_out(graph)
    columns = ["kind", "file or role", "digest", "made from", "made by", "on"]
    table = Table.of(("the same as a table", columns, list(rows.values())), folded=True)
    yield Section("lineage", "Lineage", "", [Diagram("lineage", "what was made from what", drawn), table])


def _sides(material: Material) -> dict[str, list[Artifact[Any]]]:
    """Digest of a result → the side files that the same run wrote: they have its box."""
    found: dict[str, list[Artifact[Any]]] = {}
    pairs: list[tuple[Artifact[Any], type[Artifact[Any]]]] = [(side, Architecture) for side in material.of(History)]
    pairs += [(side, Report) for side in material.of(Mistakes)]
    for side, owner in pairs:
        result = material.sibling(side, owner)
        if result is not None:
            found.setdefault(result.header.digest, []).append(side)
    return found


def every_header(material: Material) -> dict[str, tuple[str, Header]]:
    """Digest → (file name or role, header) of all artifacts, each behind what it was made from."""
    names = {artifact.header.digest: name_of(artifact) for artifact in material.artifacts}
    found: dict[str, tuple[str, Header]] = {}

    def visit(role: str, header: Header) -> None:
        if header.digest not in found:
            for below, source in header.inputs.items():
                visit(below, source)
            found[header.digest] = names.get(header.digest, role), header

    for artifact in material.artifacts:
        visit(name_of(artifact), artifact.header)
    return found


def command_of(header: Header) -> list[str]:
    """The command that made an artifact, from "nascli" on; empty where none is recorded."""
    try:
        words = shlex.split(str(header.provenance.get("command", "")))
    except ValueError:
        return []
    return ["nascli", *words[1:]] if len(words) > 1 and Path(words[0]).name in PROGRAMS else []


def made_by(header: Header) -> str:
    """The stage that made it: the recorded one, else the one that makes its kind."""
    if header.summary.get("origin") == "external":
        return "external"
    usual = KINDS[header.kind].made_by.split() if header.kind in KINDS else []
    return " ".join((command_of(header) or usual)[:2])


def _add(graph: Graph, rows: dict[str, list[object]], header: Header, name: str, named: bool = True) -> str:
    """A header and all its inputs as boxes; what a file is called says more than its role."""
    key = header.digest
    if key in rows and not named:
        return key
    graph.box(
        key, header.kind, _fitting(name), header.digest[:SHORT], made_by(header), full=one_line(name), named=named
    )
    sources = _runs(graph, rows, header) if header.kind == Comparison.kind else header.inputs
    for role, source in sources.items():
        graph.edge(_add(graph, rows, source, role, named=False), key, role)
    _ground(graph, header)
    created = header.provenance.get("created", "")
    command = shlex.join(command_of(header)) or made_by(header)
    made_from = ", ".join(f"{role} {source.digest[:SHORT]}" for role, source in header.inputs.items())
    rows[key] = [header.kind, name, header.digest[:SHORT], made_from, command, created]
    return key


def _runs(graph: Graph, rows: dict[str, list[object]], header: Header) -> dict[str, Header]:
    """The searches of a comparison are one box; what they were made from is returned."""
    key = f"runs:{header.digest}"
    graph.box(key, "architecture", f"{len(header.inputs)} searches", "", "nascli compare", full="", named=True)
    graph.edge(key, header.digest, "")
    shared = {source.digest: (role, source) for run in header.inputs.values() for role, source in run.inputs.items()}
    for role, source in shared.values():
        graph.edge(_add(graph, rows, source, role, named=False), key, role)
    return {}


def _ground(graph: Graph, header: Header) -> None:
    """Space and data as boxes, tied to what takes them from the settings and not from an input."""
    grounds: list[tuple[str, Any, str]] = []
    if header.space:
        grounds.append(("search space", header.space, header.space.use))
    if header.data:
        grounds.append(("data", header.data, header.data.name))
    for kind, record, name in grounds:
        field = "space" if kind == "search space" else "data"
        inherited = {getattr(source, field).fingerprint for source in header.inputs.values() if getattr(source, field)}
        key = f"{kind}:{record.fingerprint}"
        if record.fingerprint not in inherited:
            graph.box(key, kind, _fitting(name), record.fingerprint[:SHORT], "", full=one_line(name), named=True)
            graph.edge(key, header.digest, "")


def _fitting(name: str) -> str:
    text = one_line(name)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
