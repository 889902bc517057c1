"""What a person may point at: an artifact of any kind, a folder of them, or a search space by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nascli.artifacts.architecture import Architecture, is_answer
from nascli.artifacts.base import FORMATS, Artifact, read_header
from nascli.artifacts.checkpoint import Checkpoint
from nascli.artifacts.comparison import Comparison
from nascli.artifacts.export import Export
from nascli.artifacts.history import History
from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.manifest import NAME as MANIFEST
from nascli.artifacts.mistakes import Mistakes
from nascli.artifacts.model import Model
from nascli.artifacts.report import Report
from nascli.artifacts.strategy_state import StrategyState
from nascli.artifacts.supernet import SupernetCheckpoint
from nascli.component import Reference, installed, resolve
from nascli.config import closest
from nascli.console import out
from nascli.errors import ArtifactError

KINDS: dict[str, type[Artifact[Any]]] = {
    cls.kind: cls
    for cls in (
        LookupTable,
        SupernetCheckpoint,
        Architecture,
        History,
        StrategyState,
        Model,
        Report,
        Mistakes,
        Checkpoint,
        Comparison,
        Export,
    )
}

Subject = Artifact[Any] | Path | Reference


def open_any(path: Path) -> Artifact[Any]:
    """Open an artifact of whatever kind, and what stands for an architecture: a vector of numpy, an answer in JSON.

    Raises:
        ArtifactError: missing, broken, or of a kind that this nascli does not know.
    """
    if path.suffix == ".npy" or is_answer(path):
        return Architecture.open(path)
    kind = read_header(path).kind
    if kind not in KINDS:
        raise ArtifactError(f"{path}: unknown kind '{kind}'", why=f"known: {', '.join(KINDS)}")
    return KINDS[kind].open(path)


def open_subject(text: str) -> Subject:
    """The artifact, the folder, or the search space that `text` names; what exists as a path is a path.

    Raises:
        ArtifactError: there is nothing of that name, or it cannot be read.
        ComponentError: a search space that cannot be imported.
    """
    path = Path(text)
    if path.is_dir():
        return path
    spaces = installed("search_space")
    missing = not path.exists() and path.suffix not in FORMATS
    if missing and (text in spaces or ":" in text):
        return resolve("search_space", text)
    if missing:
        what = f"{text}: no such file, and no search space is called that{closest(text, spaces)}"
        raise ArtifactError(what, hint=f"nascli list search-space; which files are there: nascli inspect {path.parent}")
    if not path.exists():
        raise ArtifactError(f"{text}: no such file", hint=f"what is there: nascli inspect {path.parent}")
    return open_any(path)


def artifact_files(folder: Path) -> list[Path]:
    """The files of a folder, and the checkpoints of its unfinished runs, that end as artifacts; no list of blocks.

    The folder of a run that cannot be read is warned of and passed over.

    Raises:
        OSError: the folder itself cannot be read.
    """
    found = list(folder.iterdir())
    for run in sorted(path for path in found if path.suffix == ".run" and path.is_dir()):
        try:
            found += [path for path in run.iterdir() if path.stem == "last"]
        except OSError as error:
            out.warning(f"{run} cannot be read and is left out: {error.strerror or error}")
    return sorted(p for p in found if p.suffix in FORMATS and p.is_file() and p.name[0] != "." and p.name != MANIFEST)
