"""Scoring a network: passes over images that are the same each time, judged by the task's agent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

import torch
from torch import Tensor, nn

from nascli.dataflow.base import Batch, Dataflow
from nascli.engine import Engine
from nascli.search_strategy.base import Score
from nascli.training_agent.base import TrainingAgent

KEEP_BYTES = 2**30


class Replay:
    """Batches that are passed over many times; they stay on the device when they are small."""

    def __init__(
        self,
        dataflow: Dataflow,
        split: str,
        engine: Engine,
        *,
        limit: int | None,
        seed: int,
        channels_last: bool = True,
    ) -> None:
        self.dataflow, self.split, self.engine, self.limit, self.seed = dataflow, split, engine, limit, seed
        self.channels_last = channels_last
        self._kept: list[Batch] | None = None
        self._n = min(limit or 2**62, len(dataflow.indices(split)))
        channels, height, width = dataflow.describe().image_shape
        self._small = 4 * self._n * channels * height * width <= KEEP_BYTES

    @property
    def n_batches(self) -> int:
        """How many there are."""
        return -(-self._n // self.dataflow.config.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        if self._kept is not None:
            return iter(self._kept)
        batches = self.dataflow.batches(
            self.split,
            train=False,
            device=self.engine.device,
            channels_last=self.channels_last,
            limit=self.limit,
            seed=self.seed,
        )
        if not self._small:
            return batches
        self._kept = list(batches)
        return iter(self._kept)


def full(batches: Iterable[Batch]) -> Iterator[Batch]:
    """The batches that are as large as the first.

    An incomplete last batch would count as much as a full one in BatchNorm's statistics.
    """
    size = 0
    for batch in batches:
        size = size or len(batch.images)
        if len(batch.images) == size:
            yield batch


def in_chunks(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    """So many batches at a time; their tensors are ordinary ones, whatever mode they are asked for in."""
    with torch.inference_mode(False):
        iterator = iter(batches)
    while True:
        with torch.inference_mode(False):
            chunk = list(islice(iterator, size))
        if not chunk:
            return
        yield chunk


@torch.inference_mode()
def score(model: nn.Module, batches: Iterable[Batch], agent: TrainingAgent, engine: Engine) -> Score:
    """What the agent judges of a model in evaluation mode."""
    model.eval()
    judged = agent.judged()
    for (batch,) in in_chunks(batches, 1):
        with engine.autocast():
            outputs = model(batch.images)
        judged.add(outputs, batch.labels)
    return judged.score()


@torch.no_grad()
def predict(model: nn.Module, batches: Iterable[Batch], engine: Engine) -> list[tuple[Tensor, Tensor]]:
    """Outputs and labels of each batch, on the CPU."""
    model.eval()
    found: list[tuple[Tensor, Tensor]] = []
    for batch in batches:
        with engine.autocast():
            outputs = model(batch.images).float().cpu()
        found.append((outputs, batch.labels.cpu()))
    return found
