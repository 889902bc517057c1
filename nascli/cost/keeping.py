"""An unfinished measurement, kept in the checkpoint of a run."""

from __future__ import annotations

import numpy as np

from nascli.artifacts.checkpoint import Checkpoint, Progress
from nascli.cost.rounds import Array
from nascli.run import Run

EVERY_MINUTES = 0.25


class RunKeeper:
    """Keeps the rounds of all meters of a run; a resumed run goes on with the next round."""

    def __init__(self, run: Run) -> None:
        self._run = run
        run.resumable = True
        kept = run.restore(Checkpoint)
        self._samples = {} if kept is None else {name: value.numpy() for name, value in kept.state.items()}

    def restore(self, metric: str, columns: int) -> Array | None:
        """The rounds of an interrupted run; those of the same settings have as many columns."""
        found = self._samples.get(metric)
        return None if found is None or found.shape[1:] != (columns,) else np.asarray(found)

    def keep(self, metric: str, samples: Array) -> None:
        """Write a checkpoint from time to time, and when the run is asked to stop.

        Raises:
            Interrupted: it was.
        """
        import torch

        self._samples[metric] = samples
        if self._run.checkpoint_due(EVERY_MINUTES):
            state = {name: torch.from_numpy(np.array(value)) for name, value in self._samples.items()}
            self._run.checkpoint(Checkpoint(Progress(len(samples), state)))
            self._run.stop_if_asked()
