"""Keeping what a network executes in its trace, whether or not its output needs it."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves


class Executed(nn.Module):
    """A module that gives the outputs of its layers beside its own.

    A tracer drops what leads to no output, such as a branch that is computed and not chosen; a device does not.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *args: Any) -> tuple[Any, list[Tensor]]:
        """The module's output, and those of all layers that have weights."""
        kept: list[Tensor] = []

        def keep(layer: nn.Module, given: Any, output: Any) -> None:
            kept.extend(leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor))

        layers = [layer for layer in self.module.modules() if next(layer.parameters(recurse=False), None) is not None]
        hooks = [layer.register_forward_hook(keep) for layer in layers]
        try:
            return self.module(*args), kept
        finally:
            for hook in hooks:
                hook.remove()
