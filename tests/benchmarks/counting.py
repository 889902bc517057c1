"""Counts of what a piece of work does: the same on every machine, so that tests can hold them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.benchmarks.pairs import Work

NO_WORK = ("detach", "alias", "view", "t", "_unsafe_view", "expand", "as_strided")


class Operations(TorchDispatchMode):
    """How often each operation of torch runs inside, backward included; views of tensors are left out."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counts: Counter[str] = Counter()
        self.weight_gradients = 0
        self.updated: list[torch.Tensor] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count and run."""
        name = func.overloadpacket.__name__
        if name not in NO_WORK:
            self.counts[name] += 1
        if name == "convolution_backward":
            self.weight_gradients += args[-1][1]
        if name.startswith("_fused_"):
            self.updated += args[0]
        return func(*args, **(kwargs or {}))


def operations(work: Work) -> Operations:
    """Run once and count."""
    found = Operations()
    with found:
        work()
    return found
