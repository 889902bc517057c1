"""Per-channel mean and standard deviation, in units of pixel values from 0 to 1."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from nascli.dataflow.sampling import Pixels
from nascli.errors import ConfigError

CHUNK_IMAGES = 1024


class Normalisation(NamedTuple):
    """What images are normalised with: (pixel / 255 - mean) / std, one number per channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def imagenet(channels: int) -> Normalisation:
    """The customary constants of ImageNet; for grey images their averages.

    Raises:
        ConfigError: neither one nor three channels.
    """
    if channels == 3:
        return IMAGENET
    if channels == 1:
        return Normalisation((sum(IMAGENET.mean) / 3,), (sum(IMAGENET.std) / 3,))
    raise ConfigError(f"there are no ImageNet statistics for {channels} channels", hint="set dataflow.normalise: train")


def chunks(images: Pixels) -> Iterable[Pixels]:
    """Views of at most `CHUNK_IMAGES` images."""
    return (images[start : start + CHUNK_IMAGES] for start in range(0, len(images), CHUNK_IMAGES))


def measured(batches: Iterable[Pixels], channels: int) -> Normalisation:
    """The statistics of all images in `batches`, each uint8 (n, C, H, W).

    Counts are integers, so neither order nor chunking changes the result. A constant channel gets std 1.
    """
    counts = np.zeros((channels, 256), np.int64)
    for batch in batches:
        for channel in range(channels):
            counts[channel] += np.bincount(batch[:, channel].ravel(), minlength=256)
    values = np.arange(256)
    n = counts.sum(axis=1)
    first, second = counts @ values, counts @ values**2
    # n * second - first² is exact in Python's integers and overflows int64 for a few thousand large images.
    variances = [(int(k) * int(b) - int(a) ** 2) / int(k) ** 2 for k, a, b in zip(n, first, second, strict=True)]
    mean = tuple(float(a) / int(k) / 255 for k, a in zip(n, first, strict=True))
    return Normalisation(mean, tuple(v**0.5 / 255 or 1.0 for v in variances))
