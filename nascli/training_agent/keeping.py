"""What a search keeps in its run, and what a resumed one takes from there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nascli.artifacts.checkpoint import Checkpoint, Progress
from nascli.artifacts.header import DataRecord, SpaceRecord
from nascli.artifacts.history import History, Trials
from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.run import Run
from nascli.search_strategy.base import Score
from nascli.space import Archs, Space, compact

LOG_EVERY = 50
Scores = Mapping[bytes, Score]
"""Canonical architecture, int64 (d,) as bytes → its score; in the order of a history."""


class Keeping:
    """The scores that arrived, those of an interrupted run first, and the state of a strategy that trains something.

    Args:
        minutes: between two checkpoints.
    """

    def __init__(
        self,
        record: SpaceRecord,
        costs: CostModel,
        feasible: FeasibleSet,
        run: Run,
        minutes: float,
        data: DataRecord | None,
    ) -> None:
        self._record, self._data, self._costs, self._feasible = record, data, costs, feasible
        self._run, self._minutes = run, minutes
        self.scores = self._restored()

    def _restored(self) -> dict[bytes, Score]:
        trials = self._run.restore(History)
        if trials is None:
            return {}
        self._run.log(event="resume", evaluated=len(trials.archs))
        columns = zip(trials.accuracy.tolist(), trials.loss.tolist(), trials.images.tolist(), strict=True)
        scores = [Score(*values, trials.errors.get(row)) for row, values in enumerate(columns)]
        return {arch.tobytes(): score for arch, score in zip(trials.archs, scores, strict=True)}

    def training(self) -> Progress | None:
        """How far the interrupted run had trained: the state is what `keep_training` was given last."""
        progress: Progress | None = self._run.restore(Checkpoint)
        if progress is not None:
            self._run.log(event="resume", step=progress.step)
        return progress

    def has(self, archs: Archs) -> bool:
        """Whether the scores of all canonical architectures (n, d) are here."""
        return all(arch.tobytes() in self.scores for arch in archs)

    def add(self, archs: Archs, scores: Sequence[Score]) -> None:
        """Keep the scores of canonical architectures (n, d), in a checkpoint too when one is due."""
        self.scores |= {arch.tobytes(): score for arch, score in zip(archs, scores, strict=True)}
        self._run.log(event="score", evaluated=len(self.scores), architecture=compact(archs[-1]))
        if self._run.checkpoint_due(self._minutes):
            self.checkpoint()

    def checkpoint(self) -> None:
        """Write all scores to the run's folder."""
        self._run.checkpoint(self.history(self.scores))

    def keep_training(self, step: int, steps: int, state: Callable[[], Mapping[str, Any]], metric: str) -> None:
        """Log a step of training now and then; write its state, and the scores, when a checkpoint is due."""
        if step % LOG_EVERY == 0 or step == steps:
            self._run.log(event="train", step=step, steps=steps, metric=metric)
        if self._run.checkpoint_due(self._minutes):
            if self.scores:
                self.checkpoint()
            self._run.checkpoint(Checkpoint(Progress(step, dict(state())), summary={"step": step, "steps": steps}))

    def history(self, scores: Scores, front: Archs | None = None) -> History:
        """These scores as an artifact; the rows of a front (n, d), if there is one, are in its summary."""
        archs, listed = table(scores, self._costs.space)
        trials = Trials(
            archs,
            np.array([s.accuracy for s in listed], dtype=np.float64),
            np.array([s.loss for s in listed], dtype=np.float64),
            np.array([s.images for s in listed], dtype=np.int64),
            {name: self._costs.total(name, archs) for name in self._costs.metrics},
            {row: s.error for row, s in enumerate(listed) if s.error is not None},
        )
        summary = {
            "evaluations": len(listed),
            "images": sum(s.images for s in listed),
            "constraints": [str(c) for c in self._feasible.constraints],
        }
        if front is not None and len(front):
            places = {key: row for row, key in enumerate(scores)}
            keys = [arch.tobytes() for arch in self._costs.space.canonical(front)]
            summary["front"] = [places[key] for key in keys if key in places]
        return History(trials, space=self._record, data=self._data, summary=summary)


def table(scores: Scores, space: Space) -> tuple[Archs, list[Score]]:
    """The architectures (n, d) and their scores."""
    flat = np.frombuffer(b"".join(scores), dtype=np.int64)
    return flat.reshape(len(scores), len(space.decisions)), list(scores.values())
