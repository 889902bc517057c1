from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.search_space.helpers import params_of

from .helpers import made, random, refused


def test_pooling_gives_one_pixel_of_the_mean() -> None:
    x = random(4, 3, 5)
    torch.testing.assert_close(made("global_average")(x)[:, :, 0, 0], x.mean((2, 3)))


def test_a_global_depthwise_convolution_weighs_each_pixel_of_each_channel() -> None:
    block, x = made("global_depthwise", {"kernel": [3, 5]}).double().eval(), random(4, 3, 5)
    assert params_of(block) == 4 * 3 * 5 + 2 * 4
    expected = (x * next(block.parameters())[:, 0]).sum((2, 3)) / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(block(x)[:, :, 0, 0], expected)


@pytest.mark.parametrize("kernel", [[3], [3, 5, 7], 3])
def test_a_global_kernel_is_as_high_and_wide_as_the_map(kernel: object) -> None:
    assert "kernel must be" in refused("global_depthwise", {"kernel": kernel})


def test_a_skip_that_keeps_the_shape_is_the_identity() -> None:
    assert isinstance(made("skip"), nn.Identity)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_skip_that_changes_the_channels_is_a_projection_with_the_stride(stride: int) -> None:
    block = made("skip", out=6, stride=stride).double().eval()
    conv = next(m for m in block.modules() if isinstance(m, nn.Conv2d))
    assert params_of(block) == 4 * 6 + 2 * 6
    x = random(4, 7, 7)
    expected = torch.einsum("nchw,oc->nohw", x[:, :, ::stride, ::stride], conv.weight[:, :, 0, 0]) / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(block(x), expected)


def test_a_skip_that_changes_the_map_alone_takes_means_of_what_is_there() -> None:
    block = made("skip", stride=2)
    assert params_of(block) == 0
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    assert torch.equal(block(x)[0, 0], torch.tensor([[2.0, 3.5], [6.5, 8.0]]))


@pytest.mark.parametrize("op", ["skip", "avg_pool"])
@pytest.mark.parametrize("size", [5, 6, 7])
def test_mean_pooling_keeps_what_is_the_same_everywhere(op: str, size: int) -> None:
    x = torch.ones(1, 4, size, size)
    assert torch.equal(made(op, stride=3)(x), torch.ones(1, 4, -(-size // 3), -(-size // 3)))


@pytest.mark.parametrize(("op", "expected"), [("avg_pool", -4.0), ("max_pool", 0.0)])
def test_pools_look_at_a_square_around_each_pixel(op: str, expected: float) -> None:
    x = -torch.arange(9.0).reshape(1, 1, 3, 3)
    assert made(op)(x)[0, 0, 1, 1] == expected
    assert made(op, {"kernel": 1})(x)[0, 0, 1, 1] == -4


def test_maximum_pooling_leaves_the_padding_out() -> None:
    assert made("max_pool")(torch.full((1, 4, 3, 3), -2.0)).eq(-2).all()


@pytest.mark.parametrize("op", ["avg_pool", "max_pool"])
def test_a_pool_is_projected_where_the_channels_change(op: str) -> None:
    assert params_of(made(op)) == params_of(made(op, stride=2)) == 0
    assert params_of(made(op, out=6, stride=2)) == 4 * 6 + 2 * 6


@pytest.mark.parametrize("value", [1.0, float("inf"), float("nan")])
def test_zero_gives_zeros_whatever_comes_in_and_a_gradient_of_zeros(value: float) -> None:
    block, x = made("zero", out=6, stride=2), torch.full((2, 4, 5, 5), value, requires_grad=True)
    output = block(x)
    assert params_of(block) == 0
    assert torch.equal(output, torch.zeros(2, 6, 3, 3))
    (output * value).sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.zeros(2, 4, 5, 5))


def test_zeros_may_be_changed_in_place() -> None:
    assert made("zero")(torch.ones(1, 4, 2, 2)).add_(1).eq(1).all()


def test_zero_says_what_it_makes() -> None:
    assert str(made("zero", out=6, stride=2)) == "Zero(6, stride=2)"
