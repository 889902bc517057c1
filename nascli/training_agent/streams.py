"""Endless training batches with a position to resume from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nascli.dataflow.base import Batch, Dataflow

if TYPE_CHECKING:
    from nascli.engine import Engine


class Stream:
    """Training batches of some splits, epoch after epoch; `position` is all that a resumed run needs.

    Args:
        withhold_arch: leave the images of the `arch` split out.
    """

    def __init__(
        self, dataflow: Dataflow, split: str | Sequence[str], engine: Engine, seed: int, *, withhold_arch: bool = False
    ) -> None:
        self.dataflow, self.split, self.engine, self.seed = dataflow, split, engine, seed
        self.withhold_arch = withhold_arch
        self.steps = dataflow.steps_per_epoch(split, withhold_arch=withhold_arch)
        self.position = 0
        self._batches: Iterator[Batch] | None = None

    def next(self) -> Batch:
        """The next batch, on the device, channels_last."""
        epoch, start = divmod(self.position, self.steps)
        if self._batches is None or start == 0:
            self._batches = self.dataflow.batches(
                self.split,
                train=True,
                epoch=epoch,
                seed=self.seed,
                start=start,
                device=self.engine.device,
                channels_last=True,
                withhold_arch=self.withhold_arch,
            )
        self.position += 1
        return next(self._batches)
