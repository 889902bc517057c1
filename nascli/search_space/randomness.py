"""Randomness of weights that nobody keeps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def own_randomness() -> Iterator[None]:
    """Networks that are built to be looked at, not to be used, leave torch's random state as it was."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        yield
