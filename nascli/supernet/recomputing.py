"""Candidates that keep no activations: the backward computes them again (Chen et al., 2016, arXiv:1604.06174)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from nascli.supernet.scope import Chooser, choosing


def recomputed(candidate: nn.Module, chooser: Chooser, *args: Any, **kwargs: Any) -> Any:
    """What the candidate gives, its gradients and its buffers, as if it had run once; random numbers are the same.

    Args:
        chooser: runs the choices inside the candidate, then and now.
    """

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _again(candidate, chooser)

    return checkpoint(candidate, *args, use_reentrant=False, context_fn=contexts, **kwargs)


@contextmanager
def _again(candidate: nn.Module, chooser: Chooser) -> Iterator[None]:
    """Within the block the same choices run; at its end buffers, such as running statistics, are what they were."""
    before = [(buffer, buffer.clone()) for buffer in candidate.buffers()]
    try:
        with choosing(chooser):
            yield
    finally:
        with torch.no_grad():
            for buffer, value in before:
                buffer.copy_(value)
