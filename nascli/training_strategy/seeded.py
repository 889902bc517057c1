"""Random numbers for code that draws from the global generators, as mutators and samplers of users do."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def seeded(rng: np.random.Generator) -> Iterator[None]:
    """Within the block, the global generators of Python, numpy and torch start from a seed drawn from `rng`.

    Afterwards they stand where they stood before.
    """
    import torch

    seed = int(rng.integers(2**63))
    python, legacy = random.getstate(), np.random.get_state()
    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices):
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)


def initial_rng() -> np.random.Generator:
    """A generator that follows from the seed that torch's global one was given; draws nothing from that one."""
    import torch

    return np.random.default_rng(torch.initial_seed())


def hand_over(owner: object, rng: np.random.Generator) -> None:
    """A mutator or sampler that keeps a numpy generator as `rng` goes on with this one.

    A generator of its own would not be in a checkpoint.
    """
    if isinstance(getattr(owner, "rng", None), np.random.Generator):
        owner.rng = rng  # type: ignore[attr-defined]
