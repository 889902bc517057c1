"""From sample numbers to batches: images that lie on the device, and images that are read when needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from nascli.dataflow.augment import Augmenter
from nascli.dataflow.base import Batch
from nascli.dataflow.normalisation import Normalisation
from nascli.dataflow.sampling import Indices, Labels
from nascli.dataflow.sources import Source
from nascli.errors import NascliError


class Images(Protocol):
    """Images that can be had by their sample numbers."""

    def batches(self, plan: Sequence[Indices], device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """For each entry int64 (B,) of `plan`: images uint8 (B, C, H, W) and labels (B, …), augmented, on `device`."""


class MemoryImages:
    """Images that lie on the device.

    Args:
        stores: for each part its first sample number, images uint8 (N, C, H, W), labels (N, …).
        augmenter: None for evaluation.
        maps: whether labels are maps, which are augmented like their images.
    """

    def __init__(
        self, stores: Sequence[tuple[int, Tensor, Tensor]], augmenter: Augmenter | None, *, maps: bool = False
    ) -> None:
        self._stores, self._augmenter, self._maps = stores, augmenter, maps

    def batches(self, plan: Sequence[Indices], device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """See `Images`; `device` is where the images lie."""
        for numbers in plan:
            images = self._gather([(first, images) for first, images, _ in self._stores], numbers)
            labels = self._gather([(first, labels) for first, _, labels in self._stores], numbers)
            if self._augmenter is not None:
                images = self._augmenter(images, numbers)
                labels = self._augmenter.maps(labels, numbers) if self._maps else labels
            yield images, labels

    @staticmethod
    def _gather(stores: Sequence[tuple[int, Tensor]], numbers: Indices) -> Tensor:
        firsts = [first for first, _ in stores]
        owner = np.searchsorted(firsts, numbers, side="right") - 1
        sample = stores[0][1]
        gathered = sample.new_empty((len(numbers), *sample.shape[1:]))
        for k in np.unique(owner):
            first, values = stores[k]
            here = np.flatnonzero(owner == k)
            wanted: Tensor = values[torch.from_numpy(numbers[here] - first).to(values.device)]
            if len(here) == len(numbers):
                return wanted
            gathered[torch.from_numpy(here).to(values.device)] = wanted
        return gathered


class LazyImages:
    """Images that are read batch by batch, in worker processes if there are any.

    Args:
        sources: for each part its first sample number and its source.
        augmenter: None for evaluation.
        workers: number of processes; 0 reads in this one. The images do not depend on it.
        maps: whether labels are maps, which are augmented like their images.
    """

    def __init__(
        self, sources: Sequence[tuple[int, Source]], augmenter: Augmenter | None, workers: int, *, maps: bool = False
    ) -> None:
        self._reader, self._augmenter, self._workers = _Reader(sources, augmenter), augmenter, workers
        self._maps = maps

    def batches(self, plan: Sequence[Indices], device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        """See `Images`.

        Raises:
            RunFailed: an image cannot be read.
        """
        loader: DataLoader[Tensor] = DataLoader(
            self._reader,
            batch_sampler=[numbers.tolist() for numbers in plan],
            num_workers=min(self._workers, len(plan)),
            collate_fn=_as_it_is,
            pin_memory=device.type == "cuda",
            generator=torch.Generator(),  # else the loader draws from the global one
        )
        for numbers, images in zip(plan, loader, strict=True):
            if isinstance(images, NascliError):
                raise images
            labels = torch.from_numpy(self._reader.labels(numbers))
            if self._maps and self._augmenter is not None:
                labels = self._augmenter.maps(labels, numbers)
            yield images.to(device, non_blocking=True), labels.to(device)


class _Reader(Dataset[Tensor]):
    def __init__(self, sources: Sequence[tuple[int, Source]], augmenter: Augmenter | None) -> None:
        self._sources, self._augmenter = sources, augmenter
        self._firsts = [first for first, _ in sources]

    def _locate(self, number: int) -> tuple[Source, int]:
        first, source = self._sources[int(np.searchsorted(self._firsts, number, side="right")) - 1]
        return source, number - first

    def labels(self, numbers: Indices) -> Labels:
        """(B, …)."""
        located = (self._locate(int(number)) for number in numbers)
        return np.stack([source.labels[index] for source, index in located])

    def __getitems__(self, numbers: list[int]) -> Tensor | NascliError:
        # An error is handed over, not raised: the loader would bury its three lines in a worker's traceback.
        try:
            images = torch.from_numpy(np.stack([self._read(number) for number in numbers]))
        except NascliError as error:
            return error
        return images if self._augmenter is None else self._augmenter(images, np.array(numbers))

    def _read(self, number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        source, index = self._locate(number)
        return source.read(index, None if self._augmenter is None else self._augmenter.seed(number))


def _as_it_is(batch: Any) -> Any:
    return batch


def as_batches(
    images: Images,
    plan: Sequence[Indices],
    normalisation: Normalisation,
    device: torch.device | str,
    *,
    channels_last: bool,
) -> Iterator[Batch]:
    """Normalise on the device: float32 (B, C, H, W) in the memory layout asked for."""
    device = torch.device(device)
    mean = (torch.tensor(normalisation.mean, dtype=torch.float64) * 255).to(device, torch.float32)[:, None, None]
    scale = (1 / (torch.tensor(normalisation.std, dtype=torch.float64) * 255)).to(device, torch.float32)[:, None, None]
    layout = torch.channels_last if channels_last else torch.contiguous_format
    for pixels, labels in images.batches(plan, device):
        yield Batch(pixels.to(torch.float32, memory_format=layout).sub_(mean).mul_(scale), labels)
