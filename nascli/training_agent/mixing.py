"""Mixed images: mixup and cutmix of torchvision, for labels that are classes or have a number for each class."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn
from torchvision.transforms import v2

from nascli.dataflow.base import Batch
from nascli.errors import UsageError
from nascli.training_agent.settings import Training

Mix = Callable[[Batch], Batch]


def mix_of(options: Training, classes: int) -> Mix | None:
    """What is done to each training batch on the device: one of the two by chance; None where neither is wanted.

    It raises UsageError where labels are maps.
    """
    chosen: list[nn.Module] = []
    if options.mixup > 0:
        chosen.append(v2.MixUp(alpha=options.mixup, num_classes=classes))
    if options.cutmix > 0:
        chosen.append(v2.CutMix(alpha=options.cutmix, num_classes=classes))
    if not chosen:
        return None
    transform = v2.RandomChoice(chosen)

    def mix(batch: Batch) -> Batch:
        if batch.labels.dim() > 2:
            what = f"mixup and cutmix cannot mix labels of shape {tuple(batch.labels.shape)}"
            raise UsageError(what, hint="set mixup: 0 and cutmix: 0")
        return Batch(*transform(batch.images, batch.labels))

    return mix
