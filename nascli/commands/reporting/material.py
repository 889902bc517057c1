"""What a report is made of: the artifacts that were named, and what lies beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.base import Artifact
from nascli.artifacts.checkpoint import Checkpoint
from nascli.artifacts.comparison import Comparison
from nascli.artifacts.history import History
from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.model import Model
from nascli.artifacts.report import Report
from nascli.artifacts.supernet import SupernetCheckpoint
from nascli.commands.opening import artifact_files, open_any
from nascli.errors import ArtifactError, NascliError

A = TypeVar("A", bound=Artifact[Any])

MAX_LOG_BYTES = 64 * 2**20
PIPELINE: Mapping[type[Artifact[Any]], str] = {
    LookupTable: "what the candidates cost",
    SupernetCheckpoint: "how the supernet was trained",
    History: "the candidates that a search tried",
    Architecture: "the chosen architecture",
    Model: "how the network was retrained",
    Report: "how the network does on the test set",
    Comparison: "search strategies side by side",
}


@dataclass
class Material:
    """Artifacts, each once, in the order in which they were named; `missing`: a line for each thing that is not there.

    Headers are read, contents are not before a section asks for them.
    """

    artifacts: list[Artifact[Any]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def of(self, kind: type[A]) -> list[A]:
        """All artifacts of a kind."""
        return [artifact for artifact in self.artifacts if isinstance(artifact, kind)]

    def sibling(self, artifact: Artifact[Any], kind: type[A]) -> A | None:
        """The artifact of a kind that the same run wrote: same settings, same inputs."""
        return next((other for other in self.of(kind) if _origin(other) == _origin(artifact)), None)

    def add(self, artifact: Artifact[Any]) -> None:
        """Take in an artifact that is not there yet."""
        known = {(other.kind, other.header.digest) for other in self.artifacts}
        if (artifact.kind, artifact.header.digest) not in known:
            self.artifacts.append(artifact)

    def lacks(self, text: str) -> None:
        """Say that something is not there."""
        self.missing.append(text)


def _origin(artifact: Artifact[Any]) -> tuple[Any, ...]:
    header = artifact.header
    return header.config, {role: source.digest for role, source in header.inputs.items()}


def name_of(artifact: Artifact[Any]) -> str:
    """The file name of an artifact."""
    return artifact.path.name if artifact.path else artifact.kind


def gather(paths: Sequence[Path]) -> Material:
    """Open what the paths name, and the side files beside it.

    Raises:
        ArtifactError: a file that is named is missing or broken, or nothing is there at all.
    """
    found = Material()
    for path in paths:
        for artifact in _folder(path, found) if path.is_dir() else [open_any(path)]:
            found.add(artifact)
    for artifact in list(found.artifacts):
        _beside(artifact, found)
    if not found.artifacts:
        raise ArtifactError(f"{', '.join(map(str, paths))}: no artifact is there", hint="nascli inspect FOLDER")
    for kind, words in PIPELINE.items():
        if not found.of(kind):
            found.lacks(f"{words}: no {kind.kind} was given; {kind.made_by}")
    return found


def _folder(folder: Path, found: Material) -> Iterator[Artifact[Any]]:
    """What lies in a folder; of a comparison's runs the comparison tells enough."""
    opened = []
    for path in artifact_files(folder):
        try:
            opened.append(open_any(path))
        except NascliError as error:
            found.lacks(error.what)
    runs = {run["run"] for artifact in opened if isinstance(artifact, Comparison) for run in artifact.payload.runs}
    left = [a for a in opened if not isinstance(a, Checkpoint) and _stem(a) not in runs]
    if len(left) < len(opened) and runs:
        found.lacks(f"{len(runs)} searches of the comparison in {folder} one by one: name a file to see it")
    yield from left


def _stem(artifact: Artifact[Any]) -> str:
    return artifact.path.name.partition(".")[0] if artifact.path else ""


def _beside(artifact: Artifact[Any], found: Material) -> None:
    """Add the side files of an artifact, and say which are not there."""
    path = artifact.path
    searched = isinstance(artifact, Architecture) and not artifact.is_external
    suffix = ".history.h5" if searched else ".mistakes.h5" if isinstance(artifact, Report) else ""
    if not suffix or path is None or (suffix == ".mistakes.h5" and not artifact.payload.report.get("mistakes")):
        return
    side = path.with_suffix(suffix)
    if not side.exists():
        found.lacks(f"{side.name}: not beside {path.name}")
        return
    try:
        found.add(open_any(side))
    except NascliError as error:
        found.lacks(error.what)


def log_of(artifact: Artifact[Any]) -> list[dict[str, Any]] | None:
    """The lines of the log beside an artifact, those of its last run alone; None where there is none.

    What an interrupted run wrote behind the checkpoint that it was resumed from is left out.
    """
    if artifact.path is None:
        return None
    path = artifact.path.with_name(f"{artifact.path.name}.run") / "log.jsonl"
    try:
        if path.stat().st_size > MAX_LOG_BYTES:
            return None
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    kept: list[dict[str, Any]] = []
    for line in filter(None, map(_line, lines)):
        if line["event"] in ("start", "resume"):
            kept = [earlier for earlier in kept if earlier.get("step", 0) <= line.get("step", 0)]
        else:
            kept.append(line)
    return kept


def _line(text: str) -> dict[str, Any] | None:
    """One line of a log; None where it is none, or its step is no number."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    good = isinstance(value, dict) and isinstance(value.get("event"), str) and isinstance(value.get("step", 0), int)
    return value if good else None
