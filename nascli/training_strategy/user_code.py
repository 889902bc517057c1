"""What mutators and samplers of users have in common: their errors, and what they remember."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from nascli.artifacts.torch_format import plain
from nascli.errors import ComponentError, NascliError
from nascli.users import place


@contextmanager
def running(what: str) -> Iterator[None]:
    """Errors within the block are those of the user's code, and say where in it.

    Raises:
        ComponentError: for any exception that is not nascli's own.
    """
    try:
        yield
    except NascliError:
        raise
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = place(error) or f" ({Path(frame.filename).name}, line {frame.lineno})"
        why = f"{type(error).__name__}: {error}{where}"
        hint = "the whole traceback: the same command with NASCLI_DEBUG=1 before it"
        raise ComponentError(f"{what} failed", why=why, hint=hint) from error


def attributes(owner: object, given: frozenset[str]) -> dict[str, Any]:
    """The public attributes that a checkpoint can hold, arrays as tensors, but for `given`; others are left out."""
    import torch

    found: dict[str, Any] = {}
    for name in vars(owner).keys() - given:
        value = getattr(owner, name)
        with suppress(TypeError):
            found[name] = plain(torch.from_numpy(value) if isinstance(value, np.ndarray) else value)
    return dict(sorted(found.items()))


def restore(owner: object, state: Mapping[str, Any]) -> None:
    """Give the attributes their values back."""
    for name, value in state.items():
        array = isinstance(getattr(owner, name, None), np.ndarray)
        setattr(owner, name, value.numpy() if array else value)
