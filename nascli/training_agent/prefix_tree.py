"""Architectures of a chain as a tree: those that begin alike share the work of their beginning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from nascli.space import Archs
from nascli.training_agent.pieces import Key, Piece, Pieces

Statistics = tuple[Tensor, Tensor, Tensor]
"""Running mean and variance of a BatchNorm, and the number of batches that they are of."""


@dataclass(eq=False)
class Node:
    """A piece behind one beginning, and its BatchNorm statistics, which hang on nothing but that beginning.

    Args:
        rows: the architectures that pass here.
    """

    piece: Piece
    depth: int
    rows: list[int] = field(default_factory=list)
    children: dict[Key, Node] = field(default_factory=dict)
    statistics: list[Statistics] = field(default_factory=list)

    def forget(self) -> None:
        """Begin the statistics anew."""
        self.statistics = list(map(_fresh, self.piece.norms))

    def install(self, *, training: bool) -> None:
        """Give the statistics to the modules; in training they become the mean over the batches."""
        for norm, statistics in zip(self.piece.norms, self.statistics, strict=True):
            norm.running_mean, norm.running_var, norm.num_batches_tracked = statistics
            norm.momentum, norm.training = None, training

    def all(self) -> Iterator[Node]:
        """This node and all below, parents first."""
        yield self
        for child in self.children.values():
            yield from child.all()


@torch.inference_mode(False)
def _fresh(norm: _BatchNorm) -> Statistics:
    """Ordinary tensors, whatever the mode; batches are counted on the CPU, where BatchNorm reads their number."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    return torch.zeros_like(norm.running_mean), torch.ones_like(norm.running_var), torch.zeros((), dtype=torch.long)


def grow(pieces: Pieces, archs: Archs, rows: Sequence[int] | None = None) -> list[Node]:
    """The trees of some of the architectures (n, d), of all without `rows`; one for each first piece."""
    roots: dict[Key, Node] = {}
    for row in range(len(archs)) if rows is None else rows:
        level = roots
        for depth, (key, piece) in enumerate(pieces.of(archs[row])):
            node = level.setdefault(key, Node(piece, depth))
            node.rows.append(row)
            level = node.children
    return list(roots.values())


def saved(roots: Sequence[Node]) -> float:
    """The share of all MACs, 0 to 1, that the trees compute once instead of several times."""
    nodes = [node for root in roots for node in root.all()]
    return 1 - sum(node.piece.macs for node in nodes) / max(1, sum(node.piece.macs * len(node.rows) for node in nodes))


def peak(roots: Sequence[Node], sizes: Sequence[int]) -> int:
    """The most that a depth-first walk holds, in the unit of `sizes`: the input of each depth, then the output."""

    def at(node: Node, held: int, *, awaited: bool) -> int:
        size = sizes[node.depth]
        return max(held + size + sizes[node.depth + 1], below(list(node.children.values()), held + size * awaited))

    def below(nodes: Sequence[Node], held: int) -> int:
        last = len(nodes) - 1
        return max((at(node, held, awaited=i < last) for i, node in enumerate(nodes)), default=0)

    return below(roots, 0)
