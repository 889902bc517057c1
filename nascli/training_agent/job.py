"""How another process comes to the same evaluator: references and paths, which it resolves again.

No object of a user's class is pickled. The other process sees the same files under the same names, and what it finds
there is compared with what this one has found.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from nascli import __version__
from nascli.artifacts.supernet import SupernetCheckpoint
from nascli.component import Reference, file_of, resolve
from nascli.config import Origin
from nascli.errors import ArtifactError, ComponentError, UsageError
from nascli.run import Run
from nascli.training_agent.base import Evaluator, EvaluatorInputs, Setup
from nascli.training_agent.settings import Engines

Plain = Mapping[str, Any]


def portable(reference: Reference) -> dict[str, Any]:
    """A reference as `resolve` takes it in any folder: `{use: …, option: value}`, files by their absolute path."""
    file = file_of(reference.use, reference.base)
    use = f"{file}:{reference.use.rpartition(':')[2]}" if file else reference.use
    return {"use": use, **_plain(reference.options)}


def _plain(value: Any) -> Any:
    if isinstance(value, Reference):
        return portable(value)
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in value.model_fields_set}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


@dataclass(frozen=True)
class Part:
    """A component of a job: its reference as `portable` gives it, the sha256 of its file, where its options start."""

    reference: Plain
    source: str | None
    base: str

    @classmethod
    def of(cls, reference: Reference) -> Part:
        """The part that stands for a resolved reference."""
        return cls(portable(reference), reference.source, str(reference.base))

    def resolved(self, kind: str) -> Reference:
        """The reference again.

        Raises:
            ComponentError: it cannot be resolved here, or its file is another one.
        """
        found = resolve(kind, self.reference, Origin(base=Path(self.base)))
        if found.source != self.source:
            why = f"sha256 {self.source!s:.12}… there, {found.source!s:.12}… here"
            raise ComponentError(f"a worker has another file of this name: {found.use}", why=why, hint=SAME_FILES)
        return found


SAME_FILES = "all machines must see the same files under the same paths"


@dataclass(frozen=True)
class Job:
    """Plain data to prepare an evaluator with.

    Args:
        folder: that relative paths start at.
        parts: kind → component; "evaluator", "search_space", "dataflow", "training_agent".
        engines: fields of `Engines`.
        supernet: path and digest.
        fingerprint: of the search space.
        facts: what preparing the evaluator told in the first process.
    """

    folder: str
    out: str
    seed: int
    parts: Mapping[str, Part]
    engines: Plain
    supernet: tuple[str, str] | None
    fingerprint: str
    facts: Plain
    version: str = __version__

    @classmethod
    def of(cls, references: Mapping[str, Reference], inputs: EvaluatorInputs, facts: Plain) -> Job:
        """The job that has led to an evaluator here."""
        supernet, run = inputs.supernet, inputs.setup.run
        if supernet is not None and supernet.path is None:
            raise UsageError("workers read the supernet from its file, and this one has none")
        return cls(
            str(Path.cwd()),
            str(run.path.absolute()),
            run.seed,
            {kind: Part.of(reference) for kind, reference in references.items()},
            {name: getattr(inputs.engines, name) for name in Engines.model_fields},
            (str(supernet.path.absolute()), supernet.header.digest) if supernet and supernet.path else None,
            inputs.space.space.fingerprint,
            dict(facts),
        )

    def evaluator(self) -> Evaluator:
        """The evaluator, prepared; this process moves to the job's folder.

        Raises:
            NascliError: a component, a file or a device is not there, or is not what it was in the first process.
        """
        _same("nascli", self.version, __version__, "install one version on all machines")
        if Path(self.folder).is_dir():
            os.chdir(self.folder)
        found = {kind: part.resolved(kind) for kind, part in self.parts.items()}
        space = found["search_space"].build()
        _same("search space", self.fingerprint, space.space.fingerprint)
        setup = Setup(
            found["training_agent"].build(), found["dataflow"].build(), Silent(Path(self.out), seed=self.seed)
        )
        evaluator: Evaluator = found["evaluator"].build()
        facts = evaluator.prepare(EvaluatorInputs(space, setup, Engines(**self.engines), self._supernet()))
        _same("input of the evaluator", self.facts, dict(facts))
        return evaluator

    def _supernet(self) -> SupernetCheckpoint | None:
        if self.supernet is None:
            return None
        path, digest = self.supernet
        supernet = SupernetCheckpoint.open(Path(path))
        _same("supernet", digest, supernet.header.digest)
        return supernet


def _same(what: str, then: Any, now: Any, hint: str = SAME_FILES) -> None:
    if then != now:
        why = f"{then!s:.60} in the search, {now!s:.60} in the worker"
        raise ArtifactError(f"a worker has another {what}", why=why, hint=hint)


class Silent(Run):
    """The run of a process that scores for another one: it keeps and says nothing."""

    def log(self, **fields: Any) -> None:
        """Not kept."""
