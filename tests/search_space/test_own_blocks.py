"""Blocks of one's own in a chain space: `./file.py:function` from the folder of the class's file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nascli.component import resolve
from nascli.config import Origin
from nascli.cost.params import Params
from nascli.errors import ComponentError, UsageError

from .helpers import decoded_and_path, params_of, trained

SPACE = """
from nascli.search_space.chain import Block, ChainSpace, Layer, Macro, Stage


class Mine(ChainSpace):
    def macro_cfg(self):
        stem = Stage(Block("stem", "./blocks/own.py:own", {"bias": False}), 3, 4)
        pool = Stage(Block("pool", "global_average"), 4, 4)
        return Macro((stem,), (Layer(4, 4), Layer(4, 4, stride=2)), (pool, Stage(Block("head", HEAD), 4, 5)))

    def micro_cfg(self):
        return Block("skip", "skip"), Block("mine", "./blocks/own.py:own", {"bias": True})
"""
BLOCK = """
from torch import nn


def own(in_channels, out_channels, stride, bias):
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=bias), nn.BatchNorm2d(out_channels))


def head(in_channels, out_channels, stride):
    return nn.Sequential(nn.Flatten(), nn.Linear(in_channels, out_channels))
"""


def mine(folder: Path, block: str = BLOCK, head: str = "classifier", **options: Any) -> Any:
    """The space in `folder`, whose blocks lie in a folder below."""
    (folder / "blocks").mkdir(parents=True, exist_ok=True)
    (folder / "space.py").write_text(SPACE.replace("HEAD", repr(head)))
    (folder / "blocks/own.py").write_text(block)
    options = {"use": "./space.py:Mine", "input_shape": [3, 6, 6], "classes": 5, **options}
    return resolve("search_space", options, Origin(base=folder)).build()


def test_own_blocks_work_as_built_in_ones_do(tmp_path: Path) -> None:
    space = mine(tmp_path)
    supernet, costs = trained(space), space.lookup_table([Params()])
    for arch in ([0, 1], [1, 0], [1, 1]):
        assert torch.equal(*decoded_and_path(space, supernet, arch))
        assert costs.total("params", np.array(arch)) == [params_of(space.model(arch))]


def test_batchnorm_of_own_blocks_follows_the_options(tmp_path: Path) -> None:
    supernet = mine(tmp_path, bn_momentum=0.3).supernet()
    momenta = {module.momentum for module in supernet.modules() if isinstance(module, torch.nn.BatchNorm2d)}
    assert momenta == {0.3}


def test_a_changed_file_is_another_space_and_a_moved_one_is_not(tmp_path: Path) -> None:
    first, moved = mine(tmp_path / "a"), mine(tmp_path / "b")
    changed = mine(tmp_path / "c", BLOCK + "\n# changed\n")
    assert first.space.fingerprint == moved.space.fingerprint != changed.space.fingerprint


@pytest.mark.parametrize("method", ["supernet", "model", "lookup_table"])
def test_an_own_block_whose_output_has_another_shape_is_refused(method: str, tmp_path: Path) -> None:
    space = mine(tmp_path, BLOCK.replace("stride, 1, bias", "1, 1, bias"))
    arguments = {"supernet": [], "model": [[0, 1]], "lookup_table": [[Params()]]}[method]
    with pytest.raises(UsageError, match=r"layer_01, block 'mine' .*expected an output of shape \(2, 4, 3, 3\)"):
        getattr(space, method)(*arguments)


def test_an_own_fixed_block_is_checked_too(tmp_path: Path) -> None:
    space = mine(tmp_path, BLOCK.replace("3, stride, 1", "3, stride, int(bias)"))
    with pytest.raises(UsageError, match=r"first part, block 'stem' .*expected an output of shape"):
        space.supernet()


def test_an_own_head_may_give_what_it_wants(tmp_path: Path) -> None:
    space = mine(tmp_path, head="./blocks/own.py:head")
    assert space.model([0, 0])(torch.zeros(2, 3, 6, 6)).shape == (2, 5)


def test_a_function_that_is_not_there_is_named_with_its_block(tmp_path: Path) -> None:
    with pytest.raises(
        ComponentError, match=r"layer_00, block 'mine': .*/blocks/own.py has no class or function 'own'"
    ):
        mine(tmp_path, "def owm(): pass").supernet()


BROKEN = """
from torch import nn


class Odd(nn.Module):
    def forward(self, x):
        return nn.Linear(1, 1)(x)


def own(in_channels, out_channels, stride, bias):
    return Odd() if bias else nn.Conv2d(in_channels, out_channels, 1)
"""


def test_a_block_that_fails_is_told_with_its_line_and_not_with_torchs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"block 'mine' .* does not run on") as caught:
        mine(tmp_path, BROKEN).supernet()
    assert caught.value.why.endswith("(own.py, line 7)")
    assert "nascli scaffold block" in caught.value.hint
