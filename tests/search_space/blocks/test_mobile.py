from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models.mobilenetv2 import InvertedResidual as Reference
from torchvision.ops import SqueezeExcitation

from nascli.search_space.blocks.mobile import InvertedResidual, MixedDepthwise
from tests.search_space.helpers import params_of

from .helpers import convs, made, random, same_weights

MOBILE = {"kernel": 3, "expansion": 2}


@pytest.mark.parametrize("place", [{}, {"stride": 2}, {"out": 6}, {"out": 6, "stride": 2}])
@pytest.mark.parametrize("expansion", [1, 3])
def test_a_mobile_block_computes_what_torchvisions_does(place: dict[str, int], expansion: int) -> None:
    block = made("mobile", {"kernel": 3, "expansion": expansion}, **place)
    other = Reference(4, place.get("out", 4), place.get("stride", 1), expansion)
    same_weights(block, other)
    torch.testing.assert_close(block(random(4)), other(random(4)))


@pytest.mark.parametrize("op", ["mobile", "mixconv"])
@pytest.mark.parametrize(("change", "residual"), [({}, True), ({"stride": 2}, False), ({"out": 6}, False)])
def test_an_inverted_residual_adds_its_input_where_the_shape_is_kept(
    op: str, change: dict[str, int], residual: bool
) -> None:
    options: dict[str, Any] = MOBILE if op == "mobile" else {"kernels": [3, 5], "expansion": 2}
    block = made(op, options, **change).eval()
    assert isinstance(block, InvertedResidual)
    x = torch.rand(1, 4, 8, 8)
    with torch.no_grad():
        assert torch.equal(block(x), x + block.body(x) if residual else block.body(x))


# --- expansion and groups --------------------------------------------------------------------------------------------

WIDE, THIN = [(4, 8, 1, 1), (8, 8, 3, 8), (8, 4, 1, 1)], [(4, 4, 3, 4), (4, 4, 1, 1)]
GROUPED = [(4, 4, 1, 2), (4, 4, 3, 4), (4, 4, 1, 2)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"expansion": 2}, WIDE),
        ({"expansion": 2, "expand": True}, WIDE),
        ({"expansion": 1}, THIN),
        ({"expansion": 1, "expand": False}, THIN),
        ({"expansion": 1, "expand": True}, [(4, 4, 1, 1), *THIN]),
        ({"expansion": 1, "groups": 2}, GROUPED),
        ({"expansion": 1, "groups": 2, "expand": False}, GROUPED[1:]),
    ],
)
def test_the_first_1x1_convolution_is_there_where_it_widens_has_groups_or_is_asked_for(
    options: dict[str, Any], expected: list[tuple[int, ...]]
) -> None:
    assert convs(made("mobile", {"kernel": 3, **options})) == expected


def test_groups_are_shuffled_in_front_of_the_depthwise_convolution() -> None:
    block = made("mobile", {**MOBILE, "groups": 2})
    assert isinstance(block, InvertedResidual)
    kinds = [type(part).__name__ for part in block.body]
    assert kinds == ["Conv2dNormActivation", "ChannelShuffle", "Conv2dNormActivation", "Conv2dNormActivation"]


def test_with_groups_each_output_still_sees_all_inputs() -> None:
    block = made("mobile", {"kernel": 3, "expansion": 1, "groups": 2, "activation": "none"}, out=2).double().eval()
    x = random(4).requires_grad_()
    for channel in range(2):
        (gradient,) = torch.autograd.grad(block(x)[:, channel].sum(), x)
        assert (gradient.abs().amax((0, 2, 3)) > 0).all()


# --- parameters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("se", [False, True])
def test_the_parameters_are_those_of_the_formula(groups: int, se: bool) -> None:
    into, out, width, kernel, squeezed = 8, 12, 24, 5, 2
    block = made("mobile", {"kernel": kernel, "expansion": 3, "groups": groups, "se": se}, into=into, out=out)
    expected = (into * width + width * out) // groups + width * kernel**2 + 2 * (width + width + out)
    excitation = 2 * width * squeezed + width + squeezed
    assert params_of(block) == expected + excitation * se


@pytest.mark.parametrize("op", ["mobile", "mixconv"])
def test_squeeze_and_excitation_stands_behind_the_depthwise_activation(op: str) -> None:
    options: dict[str, Any] = {"kernel": 3} if op == "mobile" else {"kernels": [3, 5]}
    block = made(op, {**options, "expansion": 2, "se": True, "activation": "hswish"})
    assert isinstance(block, InvertedResidual)
    before = [m for part in list(block.body)[:-2] for m in part.modules()]
    assert isinstance(block.body[-2], SqueezeExcitation)
    assert isinstance(before[-1], nn.Hardswish)


@pytest.mark.parametrize("options", [{"expansion": 1}, {"expansion": 3}, {"expansion": 2, "se": True}])
def test_with_one_kernel_mixconv_is_a_mobile_block(options: dict[str, Any]) -> None:
    block, other = made("mixconv", {"kernels": [5], **options}), made("mobile", {"kernel": 5, **options})
    assert params_of(block) == params_of(other)
    same_weights(block, other)
    assert torch.equal(block(random(4)), other(random(4)))


# --- several kernels -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2])
def test_each_kernel_has_its_own_channels(stride: int) -> None:
    mixed = MixedDepthwise([3, 5], [2, 3], stride).double()
    x = random(5)
    parts = [conv(part) for conv, part in zip(mixed.convs, (x[:, :2], x[:, 2:]), strict=True)]
    assert torch.equal(mixed(x), torch.cat(parts, 1))


@pytest.mark.parametrize(
    ("options", "shares"),
    [
        ({"kernels": [3, 5]}, [4, 4]),
        ({"kernels": [3, 5, 7]}, [4, 2, 2]),
        ({"kernels": (3, 5, 7), "splits": (3, 2, 3)}, [3, 2, 3]),
        ({"kernels": [3, 3]}, [4, 4]),
    ],
)
def test_kernels_share_the_channels_equally_and_the_first_takes_the_rest(options: Any, shares: list[int]) -> None:
    depthwise = [c for c in convs(made("mixconv", {**options, "expansion": 2})) if c[3] > 1]
    assert depthwise == [(n, n, kernel, n) for n, kernel in zip(shares, options["kernels"], strict=True)]
