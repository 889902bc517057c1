"""Endless training batches with a position to resume from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nascli.dataflow.base import Batch, Dataflow
from nascli.errors import ConfigError, RunFailed
from nascli.ranks import ALONE, Ranks
from nascli.training_agent.exchange import Share

if TYPE_CHECKING:
    from nascli.engine import Engine


class Stream:
    """Training batches of some splits, epoch after epoch; `position` is all that a resumed run needs.

    Args:
        withhold_arch: leave the images of the `arch` split out.
        ranks: the processes that share every batch.

    Raises:
        ConfigError: a batch has fewer images than there are processes.
    """

    def __init__(
        self,
        dataflow: Dataflow,
        split: str | Sequence[str],
        engine: Engine,
        seed: int,
        *,
        withhold_arch: bool = False,
        ranks: Ranks = ALONE,
    ) -> None:
        self.dataflow, self.split, self.engine, self.seed = dataflow, split, engine, seed
        self.withhold_arch = withhold_arch
        self.steps = dataflow.steps_per_epoch(split, withhold_arch=withhold_arch)
        self.position = 0
        self.share = self._share(ranks)
        self._batches: Iterator[Batch] | None = None

    def _share(self, ranks: Ranks) -> Share:
        images = len(self.dataflow.indices(self.split, withhold_arch=self.withhold_arch))
        images = min(images, self.dataflow.config.batch_size)
        if images < ranks.world_size:
            what = f"a batch of {images} images cannot be shared by {ranks.world_size} processes"
            raise ConfigError(what, hint=f"set dataflow.batch_size={ranks.world_size} or more, or fewer --devices")
        part = ranks.share(images)
        return Share(ranks, (part.stop - part.start) / images)

    def next(self) -> Batch:
        """The next batch, or this process's part of it, on the device, channels_last.

        Raises:
            RunFailed: the data gave fewer batches than an epoch has.
        """
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
                ranks=self.share.ranks,
            )
        batch = next(self._batches, None)
        if batch is None:
            name = self.dataflow.describe().name
            what = f"the data '{name}' ended before batch {start + 1} of an epoch of {self.steps}"
            raise RunFailed(what, why="batches() must give as many as steps_per_epoch() says")
        self.position += 1
        return batch
