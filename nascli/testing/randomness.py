"""Whether code leaves the global random states alone, and whether it is a function of torch's seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np

T = TypeVar("T")


@contextmanager
def no_global_randomness(*, torch_too: bool = True) -> Iterator[None]:
    """Raises AssertionError if the body drew from, or seeded, the global generators of Python, numpy or torch.

    Args:
        torch_too: False for what the training agent calls under a seed of torch, such as layers that drop out.
    """
    before = _states()
    yield
    for name, state in _states().items():
        if torch_too or name != "torch":
            assert state == before[name], f"it uses the global generator of {name}; use the `rng` that is handed over"


def seeded(make: Callable[[], T], seed: int = 0) -> T:
    """What `make` gives under a seed of torch; the global generators of Python and numpy must not matter to it."""
    import torch

    with no_global_randomness(torch_too=False), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return make()


def _states() -> dict[str, bytes]:
    import torch

    return {
        "random": repr(random.getstate()).encode(),
        "numpy.random": repr(np.random.get_state(legacy=False)).encode()
        + np.random.get_state(legacy=False)["state"]["key"].tobytes(),
        "torch": torch.get_rng_state().numpy().tobytes(),
    }
