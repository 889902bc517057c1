"""Whether code leaves the global random states alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def no_global_randomness() -> Iterator[None]:
    """Raises AssertionError if the body drew from, or seeded, the global generators of Python, numpy or torch."""
    before = _states()
    yield
    for name, state in _states().items():
        assert state == before[name], f"it uses the global generator of {name}; use the `rng` that is handed over"


def _states() -> dict[str, bytes]:
    import torch

    return {
        "random": repr(random.getstate()).encode(),
        "numpy.random": repr(np.random.get_state(legacy=False)).encode()
        + np.random.get_state(legacy=False)["state"]["key"].tobytes(),
        "torch": torch.get_rng_state().numpy().tobytes(),
    }
