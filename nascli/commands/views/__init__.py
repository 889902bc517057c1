"""What each kind of artifact looks like: facts as plain JSON values, and tables of these facts for people.

All facts have "schema" ("nascli.inspect.lookup-table/1"), and those of an artifact what its header says: "path",
"kind", "schema_version", "nascli_version", "digest", "config", "summary", "provenance", "space" (name, fingerprint),
"data", "inputs" (role → digest). What a kind adds is said in its module. NaN and infinity are null.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nascli.artifacts.base import Artifact
from nascli.artifacts.formats import using
from nascli.commands.views import (
    architecture,
    checkpoint,
    comparison,
    export,
    history,
    lookup_table,
    mistakes,
    report,
    strategy_state,
    trained,
)
from nascli.commands.views.common import View, clean, header_facts, header_table

_KINDS = {
    "lookup-table": lookup_table,
    "architecture": architecture,
    "history": history,
    "strategy-state": strategy_state,
    "supernet": trained,
    "model": trained,
    "checkpoint": checkpoint,
    "report": report,
    "mistakes": mistakes,
    "comparison": comparison,
    "export": export,
}


def as_json(artifact: Artifact[Any]) -> dict[str, Any]:
    """The facts of an artifact as one JSON object.

    Raises:
        ArtifactError: its contents are not what a stage writes.
    """
    with using(artifact.path):
        found: dict[str, Any] = clean({**header_facts(artifact), **_KINDS[artifact.kind].facts(artifact)})
    return found


def tables(artifact: Artifact[Any]) -> Iterator[View]:
    """The tables of an artifact: its own view, then what every header tells."""
    return tables_of(as_json(artifact))


def tables_of(facts: dict[str, Any]) -> Iterator[View]:
    """The tables that `tables` gives, from facts that are known already.

    Raises:
        ArtifactError: the facts are not those of what a stage writes.
    """
    with using(facts["path"]):
        found = [*_KINDS[facts["kind"]].tables(facts), header_table(facts)]
    yield from found


def warnings_of(facts: dict[str, Any]) -> Iterator[str]:
    """What a person should know before using an artifact, from its facts."""
    if facts.get("kind") == "lookup-table" and "metrics" in facts:
        yield from lookup_table.warnings(facts)
    elif facts.get("kind") in ("export", "report") and "measured" in facts:
        with using(facts["path"]):
            found = list(_KINDS[facts["kind"]].warnings(facts))
        yield from found
