"""All settings of every step, and where and when each ran."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from nascli.artifacts.header import Header
from nascli.commands.reporting.lineage import command_of, every_header, made_by
from nascli.commands.reporting.material import Material
from nascli.commands.reporting.parts import Note, Part, Section, Table
from nascli.commands.views.common import flat


def sections(material: Material) -> Iterator[Section]:
    """One section: a table for each step that has settings, and one of commands and versions."""
    headers = every_header(material)
    parts: list[Part] = [Note("What made each result what it is, defaults included; and where and when it ran.")]
    told: set[str] = set()
    for name, header in headers.values():
        table = _settings(name, header)
        if table.rows and repr(table.rows) not in told:  # side files have the settings of the file that they lie beside
            told.add(repr(table.rows))
            parts.append(table)
    yield Section("settings", "All settings", "", [*parts, *_provenance(headers)])


def _settings(name: str, header: Header) -> Table:
    rows: list[list[object]] = [[key, _word(value)] for key, value in flat(header.config)]
    return Table.of((f"{made_by(header)} ({name})", ["setting", "value"], rows), folded=True)


def _word(value: object) -> object:
    """Settings that are off are said to be so."""
    return "null" if value is None else value


def _command(header: Header) -> str:
    return shlex.join(command_of(header)) or str(header.provenance.get("command", ""))


def _provenance(headers: dict[str, tuple[str, Header]]) -> Iterator[Table]:
    rows: list[list[object]] = []
    for name, header in headers.values():
        facts = header.provenance
        versions = facts.get("packages")
        said = ", ".join(f"{k} {v}" for k, v in versions.items() if v) if isinstance(versions, dict) else ""
        rows.append([name, *(facts.get(key, "") for key in ("created", "host", "threads")), _command(header), said])
    columns = ["file or role", "made", "host", "threads", "command", "versions"]
    yield Table.of(("where and when", columns, rows), folded=True)
