"""Running a stage: inputs opened by their headers, the result written whole with its lineage."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.base import Artifact
from nascli.artifacts.files import taken
from nascli.artifacts.lock import exclusive
from nascli.config import Config
from nascli.errors import NascliError, UsageError
from nascli.ranks import is_first_process, together
from nascli.run import Run
from nascli.stage.current import current, tell_of_lost_sides
from nascli.stage.declaration import Input, Stage
from nascli.stage.settings import files, settings


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
    if entry.artifact is Architecture and ("," in text or text.isdecimal()) and not Path(text).exists():
        return Architecture.written(text)
    try:
        return entry.artifact.open(Path(text))
    except NascliError as error:
        error.hint = error.hint or f"make one: {entry.artifact.made_by}"
        raise


@dataclass(frozen=True)
class How:
    """How a stage is run: what to do with results and unfinished runs that are there already.

    `processes`: on each node, and nodes; each runs the same command line, see `ranks`.
    """

    resume: bool = False
    force: bool = False
    skip_if_current: bool = False
    processes: tuple[int, int] = (1, 1)

    @property
    def replaces(self) -> bool:
        """Whether a result that is there may be replaced."""
        return self.force or self.skip_if_current


def execute(
    target: Stage, config: Config, inputs: Mapping[str, Artifact[Any] | None], path: Path, how: How | None = None
) -> tuple[Artifact[Any], bool]:
    """Run a stage and write its result to `path`; False beside the result says that it was there already.

    A result is looked for before the lock is taken, which costs nothing and needs no right to write, and once more
    behind it: another process may have finished meanwhile. Of several processes of one run all look before any may
    write.

    Raises:
        UsageError: the result exists, or has the wrong suffix.
        ArtifactError: another process is writing it.
        NascliError: whatever the stage raises.
    """
    how = how or How()
    check_output(target, path)
    if (kept := _kept(target, config, inputs, path, how)) is not None:
        return kept, False
    run = new_run(config, inputs, path, resume=how.resume)
    with ExitStack() as stack:
        if is_first_process(how.processes):
            stack.enter_context(exclusive(run.folder, path))
            if (kept := _kept(target, config, inputs, path, how)) is not None:
                return kept, False
            if how.skip_if_current:
                tell_of_lost_sides(target, path)
            run.start(how.replaces)
        stack.enter_context(run.signals())
        run.ranks = stack.enter_context(together(how.processes, getattr(config, "accelerator", "auto")))
        result = target.function(config=config, run=run, **inputs)
        if run.ranks.is_first:
            run.complete(result).write(path)
            run.finish()
    return result, True


def _kept(
    target: Stage, config: Config, inputs: Mapping[str, Artifact[Any] | None], path: Path, how: How
) -> Artifact[Any] | None:
    """The result that is there and current, where that is asked for; None where the stage has to run.

    Raises:
        UsageError: something is there that may not be replaced.
    """
    if how.skip_if_current and (found := current(target, config, inputs, path)) is not None:
        return found
    there = [one for one in (path, *map(path.with_suffix, target.sides)) if one.exists()]
    if how.resume and path not in there:
        there = []  # a side artifact alone is of the run that was interrupted before its result
    if there and not how.replaces:
        raise taken(there[0])
    return None


def new_run(config: Config, inputs: Mapping[str, Artifact[Any] | None], path: Path, *, resume: bool = False) -> Run:
    """The run of a stage with these settings and inputs."""
    return Run(
        path,
        seed=getattr(config, "seed", 0),
        config=settings(config, everything=False),
        options=settings(config),
        files=files(config),
        inputs={role: artifact.header.as_input() for role, artifact in inputs.items() if artifact is not None},
        resume=resume,
    )


def check_output(target: Stage, path: Path) -> None:
    """Raises UsageError unless `path` has the suffix of the stage's result."""
    if path.suffix != target.output.suffix:
        what = f"-o {path}: the {target.output.kind} of {target.name} ends in {target.output.suffix}"
        raise UsageError(what, hint=f"-o {path.with_suffix(target.output.suffix) if path.name else 'FILE'}")
    if path.is_dir():
        raise UsageError(f"-o {path} is a folder, expected a file")
