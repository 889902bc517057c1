from __future__ import annotations

import subprocess
import sys

import torch
from torch import nn

from nascli.search_space.norm import USUAL, Norm


def network(**options: bool) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, momentum=0.5, **options))


def test_the_usual_norm_is_torchs_own() -> None:
    norm, plain = network()[1], nn.BatchNorm2d(4)
    USUAL.apply_to(norm)
    assert repr(norm) == repr(plain)
    assert norm.state_dict().keys() == plain.state_dict().keys()


def test_without_running_statistics_a_layer_is_as_if_constructed_so() -> None:
    norm, plain = network()[1], nn.BatchNorm2d(4, momentum=0.3, track_running_stats=False)
    Norm(0.3, track_running_stats=False).apply_to(norm)
    assert repr(norm) == repr(plain)
    assert norm.state_dict().keys() == plain.state_dict().keys()
    assert dict(norm.named_buffers()) == {}
    x = torch.rand(8, 4, 2, 2)
    assert torch.equal(norm.eval()(x), plain.eval()(x))


def test_a_layer_that_was_made_without_statistics_stays_so() -> None:
    block = network(track_running_stats=False)
    Norm(0.3).apply_to(block)
    assert (block[1].momentum, block[1].track_running_stats, block[1].running_mean) == (0.3, False, None)


def test_the_momentum_is_the_share_of_a_batch_in_the_statistics() -> None:
    block = network()
    Norm(0.25).apply_to(block)
    block[1](torch.full((2, 4, 3, 3), 8.0))
    assert torch.equal(block[1].running_mean, torch.full((4,), 2.0))


def test_the_norm_needs_no_torch() -> None:
    code = "import sys, nascli.search_space.norm as n; n.Norm(0.2); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_package_of_blocks_needs_no_torch() -> None:
    code = "import sys, nascli.search_space.blocks; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
