from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nascli.training_agent.pieces import Pieces
from nascli.training_agent.prefix_tree import Node, grow, peak, saved

from .test_pieces import chain, of_tiny, pieces

SIZES = (5, 3, 7, 2, 4)
ROWS = st.lists(st.tuples(*[st.integers(0, 1)] * 2), min_size=1, max_size=6, unique=True)


def small() -> Pieces:
    """First, two layers of two candidates, last."""
    return pieces(*chain(nn.ReLU(), nn.Tanh()))


PIECES = small()


def walk(roots: Sequence[Node], sizes: Sequence[int]) -> int:
    """The most bytes in a walk with a stack, as lists that are alive."""
    most, waiting = 0, [(root, 0) for root in reversed(roots)]
    alive = {0: sizes[0]}
    users = {0: len(roots)}
    n = 0
    while waiting:
        node, given_list = waiting.pop()
        n += 1
        alive[n], users[n] = sizes[node.depth + 1], len(node.children)
        most = max(most, sum(alive.values()))
        users[given_list] -= 1
        if not users[given_list]:
            del alive[given_list]
        if not users[n]:
            del alive[n]
        waiting += [(child, n) for child in reversed(node.children.values())]
    return most


@settings(deadline=None)
@given(ROWS)
def test_what_a_walk_holds_is_foretold(rows: list[tuple[int, int]]) -> None:
    roots = grow(PIECES, np.array(rows))
    assert peak(roots, SIZES) == walk(roots, SIZES)


@settings(deadline=None)
@given(ROWS)
def test_a_tree_has_a_node_for_each_beginning_and_a_leaf_for_each_architecture(rows: list[tuple[int, int]]) -> None:
    (root,) = grow(PIECES, np.array(rows))
    nodes = list(root.all())
    assert len(nodes) == 1 + len({a for a, _ in rows}) + 2 * len(set(rows))
    assert sorted(row for node in nodes if not node.children for row in node.rows) == list(range(len(rows)))
    assert root.rows == list(range(len(rows)))


def test_what_is_saved_is_weighted_by_macs() -> None:
    found = of_tiny()
    archs = np.array([[1, 0, 4, 2, 3, 0], [1, 0, 4, 2, 3, 1], [1, 0, 4, 2, 3, 2]])
    costs = np.array([[piece.macs for _, piece in found.of(arch)] for arch in archs])
    assert costs[:, :6].any()
    assert saved(grow(found, archs)) == pytest.approx(2 * costs[0, :6].sum() / costs.sum())
    assert saved(grow(found, archs[:1])) == 0


def test_new_statistics_are_ordinary_tensors_whatever_the_mode() -> None:
    found = of_tiny()
    with torch.inference_mode():
        (root,) = grow(found, np.array([[1, 0, 4, 2, 3, 0]]))
        root.forget()
    assert len(root.statistics) == 1
    assert not any(tensor.is_inference() for tensor in root.statistics[0])
