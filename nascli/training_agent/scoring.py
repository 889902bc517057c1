"""Scoring a network: BatchNorm statistics re-estimated on training images, then the validation split."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import update_bn

from nascli.dataflow.base import Batch, Dataflow
from nascli.engine import Engine
from nascli.search_strategy.base import Score
from nascli.space import Forward
from nascli.supernet.base import Supernet
from nascli.training_agent.base import TrainingAgent

KEEP_BYTES = 2**30


class PathView(nn.Module):
    """A supernet fixed to one forward, as an ordinary module; in train mode BatchNorm alone trains."""

    def __init__(self, supernet: Supernet, forward: Forward) -> None:
        super().__init__()
        self.supernet, self.selected = supernet, forward

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → outputs."""
        output: Tensor = self.supernet(x, self.selected)
        return output

    def train(self, mode: bool = True) -> PathView:
        """Dropout and the like stay off: statistics are those of evaluation."""
        super().train(False)
        for module in self.modules():
            if isinstance(module, _BatchNorm):
                module.training = mode
        return self


class Replay:
    """Batches that are passed over many times; they stay on the device when they are small."""

    def __init__(self, dataflow: Dataflow, split: str, engine: Engine, *, limit: int | None, seed: int) -> None:
        self.dataflow, self.split, self.engine, self.limit, self.seed = dataflow, split, engine, limit, seed
        self._kept: list[Batch] | None = None
        n = min(limit or 2**62, len(dataflow.indices(split)))
        channels, height, width = dataflow.describe().image_shape
        self._small = 4 * n * channels * height * width <= KEEP_BYTES

    def __iter__(self) -> Iterator[Batch]:
        if self._kept is not None:
            return iter(self._kept)
        batches = self.dataflow.batches(
            self.split, train=False, device=self.engine.device, channels_last=True, limit=self.limit, seed=self.seed
        )
        if not self._small:
            return batches
        self._kept = list(batches)
        return iter(self._kept)


def calibrate(model: nn.Module, batches: Iterable[Batch], engine: Engine) -> None:
    """Re-estimate BatchNorm statistics as the mean over the full batches (torch's `update_bn`).

    An incomplete last batch would count as much as a full one, so it is left out, unless it is the only one.
    """
    first = next(iter(batches)).images.shape[0]
    with engine.autocast():
        update_bn((batch.images for batch in batches if batch.images.shape[0] == first), model)


@torch.no_grad()
def score(model: nn.Module, batches: Iterable[Batch], agent: TrainingAgent, engine: Engine) -> Score:
    """What the agent judges of a model in evaluation mode."""
    model.eval()
    judged = agent.judged()
    for batch in batches:
        with engine.autocast():
            outputs = model(batch.images)
        judged.add(outputs, batch.labels)
    return judged.score()


@torch.no_grad()
def predict(model: nn.Module, batches: Iterable[Batch], engine: Engine) -> tuple[Tensor, Tensor]:
    """All outputs and labels of a pass, on the CPU."""
    model.eval()
    outputs: list[Tensor] = []
    labels: list[Tensor] = []
    for batch in batches:
        with engine.autocast():
            outputs.append(model(batch.images).float().cpu())
        labels.append(batch.labels.cpu())
    return torch.cat(outputs), torch.cat(labels)
