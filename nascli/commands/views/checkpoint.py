"""The checkpoint of an unfinished run, from the header alone: "step" and "steps", where the header says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nascli.artifacts.checkpoint import Checkpoint
from nascli.commands.views.common import View, flat
from nascli.console import show


def facts(artifact: Checkpoint) -> dict[str, Any]:
    """Where the run stands."""
    summary = artifact.header.summary
    return {"step": summary.get("step"), "steps": summary.get("steps")}


def tables(facts: Mapping[str, Any]) -> Iterator[View]:
    """The settings of the run."""
    rows: list[list[object]] = [[key, show(value)] for key, value in flat(facts["config"])]
    yield "settings of the unfinished run", ["setting", "value"], rows
