"""Devices and precision: one device in plain torch."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import nn

from nascli.config import Accelerator, Precision
from nascli.errors import UsageError

_HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Engine:
    """Where tensors live and in which precision a forward runs.

    Raises:
        UsageError: the accelerator is not there, or does not know the precision.
    """

    def __init__(self, accelerator: Accelerator = "auto", precision: Precision = "32", threads: int = 0) -> None:
        if threads:
            torch.set_num_threads(threads)
        self.device = torch.device(pick(accelerator))
        self.precision = precision
        if precision == "fp16" and self.device.type == "cpu":
            raise UsageError("fp16 needs an accelerator", hint="on the CPU: --precision bf16 or 32")
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "fp16")

    def autocast(self) -> AbstractContextManager[None]:
        """The context of a forward and its loss."""
        dtype = _HALF.get(self.precision, torch.float32)
        return torch.autocast(self.device.type, dtype=dtype, enabled=self.precision in _HALF)

    def place(self, module: nn.Module) -> nn.Module:
        """The module on the device, its convolutions in channels_last layout."""
        return module.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def seeded(self, seed: int) -> AbstractContextManager[None]:
        """A context in which torch draws from `seed`; the state outside is left as it was."""
        return _Seeded(seed, self.device)


class _Seeded(AbstractContextManager[None]):
    def __init__(self, seed: int, device: torch.device) -> None:
        devices = [device] if device.type == "cuda" else []
        self.seed, self.fork = seed, torch.random.fork_rng(devices)

    def __enter__(self) -> None:
        self.fork.__enter__()
        torch.manual_seed(self.seed)

    def __exit__(self, *error: object) -> None:
        self.fork.__exit__(None, None, None)


def pick(accelerator: str) -> str:
    """The kind of device.

    Raises:
        UsageError: it is not there.
    """
    there = ["cpu"] + ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()
    if accelerator == "auto":
        return "cuda" if "cuda" in there else "cpu"
    if accelerator not in there:
        raise UsageError(f"accelerator '{accelerator}' is not there", hint=f"there is: {', '.join(there)}")
    return accelerator
