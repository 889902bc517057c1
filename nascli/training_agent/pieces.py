"""A supernet as pieces in a row, each with what an architecture chooses in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._pytree import tree_leaves, tree_map

from nascli.cost.executed import MacCounter
from nascli.space import Archs, Forward, Space
from nascli.supernet.base import Supernet
from nascli.supernet.chain import Chain
from nascli.supernet.mutables import LayerChoice, Mutable
from nascli.supernet.scope import choosing
from nascli.supernet.selected import Selected
from nascli.training_agent.folding import Pair, traced

Key = tuple[tuple[int, ...], ...]
"""What is active in a piece, choice by choice."""

IMAGES = 2


class Piece:
    """A part of a network as it runs for a forward.

    Args:
        part: a module of a chain, or a whole supernet.
    """

    def __init__(self, part: nn.Module, forward: Forward) -> None:
        self.forward = forward
        self.module = _chosen(part, forward)
        self.norms = [m for m in self.module.modules() if isinstance(m, _BatchNorm) and m.running_mean is not None]
        self.pairs: list[Pair] = []
        self.macs, self.changes_input = 0, False

    def __call__(self, x: Any) -> Any:
        """Run it."""
        if isinstance(self.module, Supernet):
            return self.module(x, self.forward)
        with choosing(Selected(self.forward)):
            return self.module(x)

    def trace(self, example: Any) -> Any:
        """Learn from one run in evaluation mode: what can be folded, MACs, whether it writes into its input.

        Args:
            example: a tensor, or tensors, of `IMAGES` images at most; left as it is.

        Returns:
            The output, an example for the next piece.
        """
        with torch.inference_mode(False), torch.no_grad():
            x = copied(example)
            versions = [leaf._version for leaf in _tensors(x)]
            with MacCounter() as counter:
                self.pairs, output = traced(self.module, lambda: self(x))
            self.macs = counter.macs
            self.changes_input = [leaf._version for leaf in _tensors(x)] != versions
            return output


def _chosen(part: nn.Module, forward: Forward) -> nn.Module:
    """A layer choice with one active candidate is that candidate."""
    if type(part) is not LayerChoice or part.reduction == "none":
        return part
    active = forward[part.label or ""].active
    return part[active[0]] if len(active) == 1 else part


def _tensors(x: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(x) if isinstance(leaf, Tensor))


def copied(x: Any) -> Any:
    """Tensors of their own."""
    return tree_map(lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf, x)


def image_bytes(example: Any) -> int:
    """Bytes for one image, at most, of what an example stands for."""
    sizes = ((leaf.numel() * leaf.element_size(), len(leaf) if leaf.ndim else 1) for leaf in _tensors(example))
    return sum(-(-size // max(1, images)) for size, images in sizes)


class Pieces:
    """The pieces of a supernet, made once for each thing that can be chosen in them.

    A chain is cut between its layers, unless two of them share a module; any other network is one piece.

    Args:
        supernet: in evaluation mode whenever pieces are asked for.
        example: gives what the network gets, for few images.

    Attributes:
        examples: what goes into each piece, and what the last one gives; known once an architecture was asked for.
    """

    def __init__(self, supernet: Supernet, space: Space, example: Callable[[], Any]) -> None:
        self.space, self._example = space, example
        self.parts = _parts(supernet)
        self._labels = [
            tuple(dict.fromkeys(m.label or "" for m in part.modules() if isinstance(m, Mutable))) for part in self.parts
        ]
        self._known: dict[tuple[int, Key], Piece] = {}
        self.examples: list[Any] = []

    @property
    def is_row(self) -> bool:
        """Whether there is more than one piece."""
        return len(self.parts) > 1

    def of(self, arch: Archs) -> list[tuple[Key, Piece]]:
        """The pieces that an architecture (d,) runs, one after another."""
        forward = self.space.forward(arch)
        keys = [tuple(forward[label].active for label in labels) for labels in self._labels]
        return [(key, self._piece(i, key, forward)) for i, key in enumerate(keys)]

    def _piece(self, i: int, key: Key, forward: Forward) -> Piece:
        if (i, key) in self._known:
            return self._known[i, key]
        if not self.is_row:
            self._known.clear()  # of a whole network there are as many as architectures
        piece = self._known[i, key] = Piece(self.parts[i], {label: forward[label] for label in self._labels[i]})
        if not self.examples:
            self.examples.append(self._example())
        output = piece.trace(self.examples[i])
        if len(self.examples) == i + 1:
            self.examples.append(output)
        return piece


def _parts(supernet: Supernet) -> Sequence[nn.Module]:
    network = supernet.network
    if type(supernet) is not Supernet or type(network) is not Chain:
        return [supernet]
    parts = [network.first, *network.layers.values(), network.last]
    modules = [module for part in parts for module in set(part.modules())]
    return parts if len(set(modules)) == len(modules) else [supernet]
