"""Which image comes when: named random streams, stratified choice, the batches of an epoch, the draws of augmentation.

Everything here is a function of its arguments. No generator outlives a call, so a resumed run needs no state.
"""

from __future__ import annotations

from typing import Any, TypeAlias
from zlib import crc32

import numpy as np
import numpy.typing as npt

from nascli.ranks import Ranks

Pixels: TypeAlias = npt.NDArray[np.uint8]
Indices: TypeAlias = npt.NDArray[np.int64]
Draws: TypeAlias = npt.NDArray[np.uint32]
Labels: TypeAlias = npt.NDArray[Any]
"""int64 or float32."""


def stream(seed: int, name: str, *counters: int) -> np.random.Generator:
    """The random stream `name` of a run; `counters` tell its steps apart. All numbers are non-negative."""
    return np.random.default_rng([seed, crc32(name.encode()), *counters])


def stratified(labels: Indices, total: int, rng: np.random.Generator) -> Indices:
    """Choose `total` positions so that every class keeps its share of them, within one image.

    Args:
        labels: int64 (N,).
        total: 0 ≤ total ≤ N.
        rng: consumed for one permutation.

    Returns:
        int64 (total,), ascending.
    """
    order = rng.permutation(len(labels))
    grouped = order[np.argsort(labels[order], kind="stable")]
    _, counts = np.unique(labels, return_counts=True)
    ranks = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(grouped[ranks < np.repeat(_quotas(counts, total), counts)])


def _quotas(counts: Indices, total: int) -> Indices:
    """Split `total` over the classes in proportion to `counts`, by largest remainder; integers throughout."""
    n = max(int(counts.sum()), 1)
    quotas, remainders = counts * total // n, counts * total % n
    quotas[np.argsort(-remainders, kind="stable")[: total - int(quotas.sum())]] += 1
    return quotas


def epoch_order(numbers: Indices, seed: int, epoch: int) -> Indices:
    """`numbers` in the order of training epoch `epoch`."""
    return stream(seed, "order", epoch).permutation(numbers)


def first_of(numbers: Indices, limit: int, seed: int) -> Indices:
    """The first `limit` of a permutation of `numbers` that stays the same all through a run."""
    return stream(seed, "limit").permutation(numbers)[:limit]


def steps(n: int, batch_size: int, *, train: bool) -> int:
    """Number of batches of `n` images: training drops an incomplete last batch, unless it is the only one."""
    return max(n // batch_size, min(n, 1)) if train else -(-n // batch_size)


def batched(numbers: Indices, batch_size: int, *, train: bool, start: int = 0) -> list[Indices]:
    """Cut `numbers` into batches and leave out the first `start`."""
    ends = range(start, steps(len(numbers), batch_size, train=train))
    return [numbers[k * batch_size : (k + 1) * batch_size] for k in ends]


def shared(plan: list[Indices], ranks: Ranks, *, train: bool) -> list[Indices]:
    """What a process reads of the batches of a pass: a part of each in training, whole ones in evaluation."""
    if train:
        return [numbers[ranks.share(len(numbers))] for numbers in plan]
    return plan[ranks.rank :: ranks.world_size]


def draws(seed: int, epoch: int, n: int) -> Draws:
    """The random numbers that augmentation uses in one epoch: uint32 (n, 4), a row for each image.

    Columns: vertical offset, horizontal offset, flip, seed of whatever else is drawn. A row depends on the seed,
    the epoch and the image's number, not on the batch the image lies in or on the process that reads it.
    """
    return stream(seed, "augment", epoch).integers(0, 2**32, size=(n, 4), dtype=np.uint32)
