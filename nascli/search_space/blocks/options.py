"""What the options of blocks must be; a ValueError names the option and what was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def whole(option: str, value: Any) -> int:
    """A whole number from 1 on."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{option} must be a whole number from 1 on, found {value!r}")
    return value


def wholes(option: str, values: Any) -> list[int]:
    """A list of whole numbers from 1 on, with at least one."""
    if not isinstance(values, list | tuple) or not values:
        raise ValueError(f"{option} must be a list of whole numbers from 1 on, found {values!r}")
    return [whole(option, value) for value in values]


def odd(kernel: Any) -> int:
    """The size of a kernel."""
    if whole("kernel", kernel) % 2 == 0:
        raise ValueError(f"kernel {kernel} is even; only odd ones keep the size of the map")
    return int(kernel)


def divided(groups: Any, *channels: int) -> int:
    """A number of groups that divides all these channels."""
    for number in channels:
        if number % whole("groups", groups):
            raise ValueError(f"groups {groups} do not divide {number} channels")
    return int(groups)


def halved(channels: int) -> int:
    """Half the channels of a block with two branches."""
    if channels % 2:
        raise ValueError(f"two branches cannot share {channels} channels; the number must be even")
    return channels // 2


def kept(what: str, in_channels: int, out_channels: int) -> int:
    """The channels of a block that cannot change them."""
    if in_channels != out_channels:
        raise ValueError(f"{what} keeps the channels, it cannot make {out_channels} of {in_channels}")
    return in_channels


def shared_out(channels: int, splits: Any, kernels: Sequence[int]) -> list[int]:
    """How many channels each kernel has: `splits`, or equal shares of which the first takes the rest."""
    n = len(kernels)
    if splits is None:
        if channels < n:
            raise ValueError(f"{n} kernels cannot share {channels} channels")
        return [channels // n + channels % n] + [channels // n] * (n - 1)
    found = wholes("splits", splits)
    if len(found) != n or sum(found) != channels:
        raise ValueError(f"splits must be {n} numbers (one a kernel) that sum to {channels} channels, found {splits!r}")
    return found
