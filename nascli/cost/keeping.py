"""An unfinished measurement, kept in the checkpoint of a run."""

from __future__ import annotations

from nascli.artifacts.checkpoint import Checkpoint, Progress
from nascli.artifacts.formats import using
from nascli.cost.rounds import Rounds
from nascli.run import Run

EVERY_MINUTES = 0.25


class RunKeeper:
    """Keeps the rounds of all meters of a run; a resumed run leaves those that are done, and goes on with the next.

    Raises:
        ArtifactError: the interrupted run kept something else, as an older nascli did.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        run.resumable = True
        kept = run.restore(Checkpoint)
        state = {} if kept is None else kept.state
        with using(run.folder):
            self._rounds = {name: Rounds(**{**it, "samples": it["samples"].numpy()}) for name, it in state.items()}

    def restore(self, metric: str, columns: int) -> Rounds | None:
        """The rounds of an interrupted run; those of the same settings have as many columns."""
        found = self._rounds.get(metric)
        return None if found is None or found.samples.shape[1:] != (columns,) else found

    def keep(self, metric: str, rounds: Rounds) -> None:
        """Write a checkpoint from time to time, and when the run is asked to stop.

        Raises:
            Interrupted: it was.
        """
        import torch

        self._rounds[metric] = rounds
        if self._run.checkpoint_due(EVERY_MINUTES):
            state = {name: {**vars(it), "samples": torch.from_numpy(it.samples)} for name, it in self._rounds.items()}
            self._run.checkpoint(Checkpoint(Progress(len(rounds.samples), state)))
            self._run.stop_if_asked()
