"""Activations by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from torch import nn

from nascli.config import closest

NONE = "none"

ACTIVATIONS: Mapping[str, Callable[[int], nn.Module]] = {
    "relu": lambda channels: nn.ReLU(inplace=True),
    "relu6": lambda channels: nn.ReLU6(inplace=True),
    "hswish": lambda channels: nn.Hardswish(inplace=True),
    "silu": lambda channels: nn.SiLU(inplace=True),
    "prelu": nn.PReLU,
}


def activation_of(name: str | None, channels: int) -> Callable[[], nn.Module] | None:
    """Makes an activation behind so many channels (PReLU learns one slope for each); None for "none" and None.

    Raises:
        ValueError: no such activation.
    """
    if name is None or name == NONE:
        return None
    if name not in ACTIVATIONS:
        raise ValueError(f"there is no activation '{name}'" + closest(str(name), [*ACTIVATIONS, NONE]))
    return partial(ACTIVATIONS[name], channels)
