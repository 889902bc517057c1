"""Mixed images: mixup and cutmix of torchvision."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn
from torchvision.transforms import v2

from nascli.dataflow.base import Batch
from nascli.training_agent.settings import Training

Mix = Callable[[Batch], Batch]


def mix_of(options: Training, classes: int) -> Mix | None:
    """What is done to each training batch on the device: one of the two by chance; None where neither is wanted."""
    chosen: list[nn.Module] = []
    if options.mixup > 0:
        chosen.append(v2.MixUp(alpha=options.mixup, num_classes=classes))
    if options.cutmix > 0:
        chosen.append(v2.CutMix(alpha=options.cutmix, num_classes=classes))
    if not chosen:
        return None
    transform = v2.RandomChoice(chosen)
    return lambda batch: Batch(*transform(batch.images, batch.labels))
