from __future__ import annotations

import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from nascli.component import resolve
from nascli.cost.blocks import FIXED
from nascli.cost.macs import Macs
from nascli.cost.params import Params
from nascli.errors import UsageError
from nascli.search_space.base import SearchSpace
from nascli.space import Decision, Space

from .networks import of as small
from .small_networks import Behind, Shared

torch.set_num_threads(1)

NAMES = ("tiny", "sgnas", "nasbench201")


def of(name: str) -> SearchSpace:
    found: SearchSpace = resolve("search_space", name).build()
    return found


@pytest.fixture(scope="module", params=NAMES)
def space(request: pytest.FixtureRequest) -> SearchSpace:
    return of(request.param)


def some(space: Space, n: int = 5) -> np.ndarray:
    rng = np.random.default_rng(0)
    return space.canonical(np.stack([rng.integers(0, size, n) for size in space.sizes], axis=1))


def test_ids_are_distinct_and_fit_for_file_names(space: SearchSpace) -> None:
    ids = [block.id for block in space.cost_blocks().blocks]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9_.+-]{1,120}", one) for one in ids)


def test_blocks_take_their_shape(space: SearchSpace) -> None:
    blocks = space.cost_blocks().blocks
    with torch.no_grad():
        for block in blocks[:: max(1, len(blocks) // 9)]:
            block.build().eval()(torch.zeros(2, *block.shape))


def test_counts_of_blocks_times_their_costs_are_totals(space: SearchSpace) -> None:
    blocks, archs = space.cost_blocks(counts_modules=True), some(space.space)
    costs = np.array([Params().measure(block.build(), block.shape) for block in blocks.blocks])
    totals = space.lookup_table([Params()]).total("params", archs)
    assert (blocks.counts(archs) @ costs).tolist() == totals.tolist()


def test_places_tell_the_counts_of_an_architecture(space: SearchSpace) -> None:
    blocks, arch = space.cost_blocks(), some(space.space, 1)[0]
    chosen = dict(space.space.names(arch))
    counts = [
        sum(
            place.times
            for place in places
            if place.decisions == FIXED or [chosen[d] for d in place.decisions] == list(place.candidates)
        )
        for places in blocks.places
    ]
    assert counts == blocks.counts(arch)[0].tolist()


def test_a_chain_has_each_block_once_whatever_its_layer() -> None:
    blocks = of("tiny").cost_blocks()
    names = [block.name for block in blocks.blocks]
    fixed, skips = (blocks.places[names.index(name)] for name in ("stem", "skip"))
    assert [(place.decisions, place.times) for place in fixed] == [(FIXED, 1)]
    assert [(place.decisions, place.candidates) for place in skips] == [
        (("layer_00",), ("skip",)),
        (("layer_01",), ("skip",)),
    ]


def test_ids_are_the_same_in_another_process() -> None:
    code = """
from nascli.component import resolve
for name in ("tiny", "nasbench201"):
    print(*(block.id for block in resolve("search_space", name).build().cost_blocks().blocks))
"""
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert there == [block.id for name in ("tiny", "nasbench201") for block in of(name).cost_blocks().blocks]


@pytest.mark.parametrize("network", [Behind, Shared])
def test_joint_cells_hold_several_blocks(network: type[nn.Module]) -> None:
    space = small(network)
    blocks = space.cost_blocks()
    costs = [Macs().measure(block.build().eval(), block.shape) for block in blocks.blocks]
    archs = some(space.space)
    assert (blocks.counts(archs) @ np.array(costs)).tolist() == [
        Macs().measure(space.model(arch).eval(), space.space.input_shape) for arch in archs.tolist()
    ]


class Bare(SearchSpace):
    """A space with a lookup table of its own."""

    def describe(self) -> Space:
        return Space("Bare", (Decision("a", ("x", "y")),), (3, 8, 8), 2)

    supernet = model = inherit = lookup_table = None  # type: ignore[assignment]


def test_a_space_without_blocks_says_so() -> None:
    with pytest.raises(UsageError, match="blocks of Bare are not known"):
        Bare().cost_blocks()
