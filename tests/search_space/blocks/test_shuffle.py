from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn
from torchvision.models.shufflenetv2 import InvertedResidual as Reference

from nascli.search_space.blocks.shuffle import ShuffleUnit
from tests.search_space.helpers import params_of

from .helpers import convs, made, random, same_weights


@pytest.mark.parametrize("out", [4, 6])
def test_a_shuffle_unit_computes_what_torchvisions_does(out: int) -> None:
    stride = 1 if out == 4 else 2
    block, other = made("shuffle", {"kernel": 3}, out=out, stride=stride), Reference(4, out, stride)
    assert isinstance(block, ShuffleUnit)
    # theirs has the side branch first
    same_weights(block.main, other.branch2)
    if block.side is not None:
        same_weights(block.side, other.branch1)
    torch.testing.assert_close(block(random(4)), other(random(4)))


@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_the_kernel_is_that_of_all_depthwise_convolutions(kernel: int) -> None:
    assert [c[2] for c in convs(made("shuffle", {"kernel": kernel}, out=6)) if c[3] > 1] == [kernel] * 2


@pytest.mark.parametrize(("op", "options"), [("shuffle", {"kernel": 3}), ("shuffle_x", {})])
def test_half_of_the_input_passes_where_the_shape_is_kept(op: str, options: dict[str, int]) -> None:
    x = random(6)
    # two groups, interleaved: the left half stands at the even places
    assert torch.equal(made(op, options, into=6, out=6).double()(x)[:, ::2], x[:, :3])


@pytest.mark.parametrize(("op", "options"), [("shuffle", {"kernel": 3}), ("shuffle_x", {})])
@pytest.mark.parametrize("place", [{"stride": 2}, {"out": 6}])
def test_both_branches_see_the_whole_input_where_the_shape_changes(
    op: str, options: dict[str, int], place: dict[str, int]
) -> None:
    block = made(op, {**options, "activation": "none"}, **place).double().eval()
    x = random(4).requires_grad_()
    for channel in range(2):
        (gradient,) = torch.autograd.grad(block(x)[:, channel].sum(), x)
        assert (gradient.abs().amax((0, 2, 3)) > 0).all()


def test_the_xception_unit_has_three_depthwise_convolutions_in_its_main_branch() -> None:
    assert convs(made("shuffle_x")) == [(2, 2, 3, 2), (2, 2, 1, 1)] * 3
    side = [(4, 4, 3, 4), (4, 3, 1, 1)]
    assert convs(made("shuffle_x", out=6)) == [*side, *[(3, 3, 3, 3), (3, 3, 1, 1)] * 2, *side]


@pytest.mark.parametrize("op", ["shuffle", "shuffle_x"])
def test_only_the_first_depthwise_convolution_of_a_branch_strides(op: str) -> None:
    block = made(op, {"kernel": 3} if op == "shuffle" else {}, stride=2)
    assert [m.stride[0] for m in block.modules() if isinstance(m, nn.Conv2d)].count(2) == 2


def test_the_parameters_of_spos_are_those_that_its_other_implementation_counts() -> None:
    """Twenty layers of four candidates and the head for 100 classes: 7.57 million in OSNASLib."""
    candidates = [*(("shuffle", {"kernel": kernel}) for kernel in (3, 5, 7)), ("shuffle_x", {})]
    widths = [16, *[64] * 4, *[160] * 4, *[320] * 8, *[640] * 4]
    stem, head = made("conv", {"kernel": 3}, into=3, out=16), made("conv", {"kernel": 1}, into=640, out=1024)
    total = params_of(stem) + params_of(head) + 1025 * 100
    for into, out in pairwise(widths):
        place = {"into": into, "out": out, "stride": 1 if into == out else 2}
        with torch.device("meta"):
            total += sum(params_of(made(op, dict(options), **place)) for op, options in candidates)
    assert round(total / 1e6, 2) == 7.57
