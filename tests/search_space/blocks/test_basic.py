from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from nascli.search_space.blocks.activations import ACTIVATIONS
from tests.search_space.helpers import params_of

from .helpers import convs, made, random

CLASSES = {"relu": nn.ReLU, "relu6": nn.ReLU6, "hswish": nn.Hardswish, "silu": nn.SiLU, "prelu": nn.PReLU}


def test_every_activation_is_known_here() -> None:
    assert set(CLASSES) == set(ACTIVATIONS)


@pytest.mark.parametrize("name", CLASSES)
def test_an_activation_stands_last(name: str) -> None:
    assert isinstance(list(made("conv", {"kernel": 3, "activation": name}).modules())[-1], CLASSES[name])


@pytest.mark.parametrize("name", ["none", None])
def test_without_an_activation_batchnorm_stands_last(name: str | None) -> None:
    assert isinstance(list(made("conv", {"kernel": 3, "activation": name}).modules())[-1], nn.BatchNorm2d)


def test_without_a_word_the_activation_is_relu6() -> None:
    assert isinstance(list(made("conv", {"kernel": 3}).modules())[-1], nn.ReLU6)


@pytest.mark.parametrize(
    ("op", "options", "widths"),
    [
        ("conv", {"kernel": 3}, [6]),
        ("depthwise", {"kernel": 3}, [6]),
        ("separable", {"kernel": 3}, [6, 6]),
        ("mobile", {"kernel": 3, "expansion": 3}, [18, 18]),
        ("mixconv", {"kernels": [3, 5], "expansion": 3}, [18, 18]),
        ("shuffle", {"kernel": 3}, [3, 3]),
        ("shuffle_x", {}, [3, 3, 3]),
    ],
)
def test_prelu_learns_one_slope_a_channel(op: str, options: dict[str, Any], widths: list[int]) -> None:
    block = made(op, {**options, "activation": "prelu"}, into=6, out=6)
    assert [m.num_parameters for m in block.modules() if isinstance(m, nn.PReLU)] == widths


@pytest.mark.parametrize(
    ("op", "out", "numbers"),
    [
        ("conv", 10, 6 * 10 * 25 + 2 * 10),
        ("depthwise", 6, 6 * 25 + 2 * 6),
        ("separable", 10, 6 * 25 + 2 * 6 + 6 * 10 + 2 * 10),
    ],
)
def test_convolutions_have_no_bias_and_batchnorm_has_two_numbers_a_channel(op: str, out: int, numbers: int) -> None:
    assert params_of(made(op, {"kernel": 5}, into=6, out=out)) == numbers


def test_a_separable_convolution_strides_in_its_depthwise_half() -> None:
    block = made("separable", {"kernel": 5}, out=6, stride=2)
    assert convs(block) == [(4, 4, 5, 4), (4, 6, 1, 1)]
    assert [m.stride[0] for m in block.modules() if isinstance(m, nn.Conv2d)] == [2, 1]


def test_the_classifier_is_linear() -> None:
    block = made("classifier", {"dropout": 0.5}, out=3).double().eval()
    linear = next(m for m in block.modules() if isinstance(m, nn.Linear))
    x = random(4, 1, 1)
    torch.testing.assert_close(block(x), x[:, :, 0, 0] @ linear.weight.T + linear.bias)


def test_the_classifier_drops_inputs_while_it_trains() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        block, x = made("classifier", {"dropout": 0.5}, into=64, out=3), torch.ones(1, 64, 1, 1)
        assert not torch.equal(block(x), block(x))
