from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
import torch

from nascli.dataflow.base import Batch
from nascli.dataflow.synthetic import Synthetic
from nascli.engine import Engine
from nascli.errors import RunFailed
from nascli.training_agent.streams import Stream

from .helpers import flow


def stream(seed: int = 0, position: int = 0, **options: bool) -> Stream:
    made = Stream(flow(), "train", Engine("cpu"), seed, **options)
    made.position = position
    return made


def images(of: Stream, n: int) -> list[torch.Tensor]:
    return [of.next().images for _ in range(n)]


def test_a_stream_goes_on_into_the_next_epoch() -> None:
    of = stream()
    assert (of.steps, len(images(of, 15)), of.position) == (6, 15, 15)


def test_epochs_differ() -> None:
    batches = images(stream(), 12)
    assert not any(torch.equal(a, b) for a, b in zip(batches[:6], batches[6:], strict=True))


def test_the_position_is_all_that_is_needed_to_go_on() -> None:
    whole = images(stream(), 15)
    for position in (1, 5, 6, 7, 12):
        rest = images(stream(position=position), 15 - position)
        assert all(torch.equal(a, b) for a, b in zip(whole[position:], rest, strict=True))


def test_another_seed_gives_other_batches() -> None:
    assert not torch.equal(images(stream(0), 1)[0], images(stream(1), 1)[0])


def test_withholding_the_arch_images_shortens_the_epoch() -> None:
    assert stream(withhold_arch=True).steps == 3


def test_batches_are_channels_last() -> None:
    assert images(stream(), 1)[0].is_contiguous(memory_format=torch.channels_last)


def test_data_that_end_early_are_told() -> None:
    class Short(Synthetic):
        def batches(self, *arguments: Any, **options: Any) -> Iterator[Batch]:
            return islice(super().batches(*arguments, **options), 2)

    data = Short(Short.Config(classes=4, image_shape=(3, 8, 8), train_images=60, test_images=12, batch_size=8))
    of = Stream(data, "train", Engine("cpu"), 0)
    with pytest.raises(RunFailed, match="ended before batch 3 of an epoch of 6"):
        images(of, 6)
