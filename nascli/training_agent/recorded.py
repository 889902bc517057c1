"""What a stage's inputs were made with, where that is of the user's own: it is named again, and must be the same."""

from __future__ import annotations

from collections.abc import Mapping

from nascli.artifacts.header import Header
from nascli.component import Reference
from nascli.config import Config
from nascli.console import out
from nascli.errors import ComponentError

KINDS = ("dataflow", "training_agent")
"""What every stage of a task must agree on."""


def check_recorded(told: Config, inputs: Mapping[str, Header]) -> None:
    """Compare the settings of a stage with those that its inputs were made with.

    A file that has changed since is told as a warning: whether it matters, the user knows.

    Raises:
        ComponentError: an input was made with a class from a file, and the settings leave the default in its place.
    """
    for role, header in inputs.items():
        for kind in KINDS:
            recorded = header.config.get(kind)
            if isinstance(recorded, dict) and isinstance(source := recorded.get("source"), str):
                _compare(told, kind, f"--{role}", str(recorded.get("use")), source)


def _compare(told: Config, kind: str, role: str, use: str, source: str) -> None:
    words, named = kind.replace("_", " "), getattr(told, kind)
    if kind not in told.model_fields_set:
        raise ComponentError(
            f"{role} was made with the {words} '{use}' (sha256 {source[:12]}…), and nothing names it here",
            why="files of others never make nascli import code; only what you name is imported",
            hint=f"name it: --{kind.replace('_', '-')} ./{use}, or another {words}",
        )
    if isinstance(named, Reference) and named.name == use and named.source != source:
        now = f"{named.source:.12}" if named.source else "none"
        out.warning(f"{use} has changed since {role} was made with it (sha256 {source[:12]}… → {now}…)")
