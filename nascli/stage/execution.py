"""Running a stage: inputs opened by their headers, the result written whole with its lineage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.base import Artifact
from nascli.artifacts.header import Header
from nascli.config import Config
from nascli.errors import NascliError, UsageError
from nascli.run import Run
from nascli.stage.declaration import Input, Stage
from nascli.stage.settings import settings


def open_input(entry: Input, text: str | None) -> Artifact[Any] | None:
    """Open one input by its header alone.

    Raises:
        UsageError: a required input is not given.
        ArtifactError: it is missing, broken or of another kind.
    """
    if text is None:
        if entry.optional:
            return None
        raise UsageError(f"--{entry.role} is missing", hint=f"make one: {entry.artifact.made_by}")
    if entry.artifact is Architecture and "," in text and not Path(text).exists():
        return Architecture.written(text)
    try:
        return entry.artifact.open(Path(text))
    except NascliError as error:
        error.hint = error.hint or f"make one: {entry.artifact.made_by}"
        raise


def execute(
    target: Stage,
    config: Config,
    inputs: Mapping[str, Artifact[Any] | None],
    path: Path,
    *,
    resume: bool = False,
    force: bool = False,
) -> Artifact[Any]:
    """Run a stage and write its result to `path`.

    Raises:
        UsageError: the result exists, or has the wrong suffix.
        NascliError: whatever the stage raises.
    """
    if path.suffix != target.output.suffix:
        raise UsageError(f"-o {path}: the {target.output.kind} of {target.name} ends in {target.output.suffix}")
    if path.exists() and not force:
        raise UsageError(f"{path} exists", hint="replace it with --force, or choose another -o")
    headers: dict[str, Header] = {role: artifact.header for role, artifact in inputs.items() if artifact is not None}
    run = Run(
        path,
        seed=getattr(config, "seed", 0),
        config=settings(config, everything=False),
        options=settings(config),
        inputs=headers,
        resume=resume,
    )
    run.start(force)
    with run.signals():
        result = target.function(config=config, run=run, **inputs)
    run.complete(result).write(path)
    run.finish()
    return result
