from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nascli.errors import UsageError
from nascli.search_space.blocks import BUILDERS, InvertedResidual, build
from nascli.search_space.chain import Block, Placed

from .helpers import params_of

OPTIONS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "skip": st.just({}),
    "conv": st.fixed_dictionaries({"kernel": st.sampled_from([1, 3, 5, 7])}),
    "mobile": st.fixed_dictionaries(
        {"kernel": st.sampled_from([1, 3, 5, 7]), "expansion": st.integers(1, 3), "se": st.booleans()}
    ),
}


def placed(op: str, options: dict[str, Any], *, into: int = 4, out: int = 4, stride: int = 1) -> Placed:
    return Placed(Block("b", op, options), into, out, stride, (into, 8, 8), "layer_03")


@pytest.mark.parametrize("op", OPTIONS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_blocks_keep_the_map_or_divide_it_by_the_stride_rounded_up(op: str, data: st.DataObject) -> None:
    options, stride = data.draw(OPTIONS[op]), data.draw(st.integers(1, 3))
    into, out, height, width = (data.draw(st.integers(low, 9)) for low in (1, 1, 3, 3))
    block = build(placed(op, options, into=into, out=out, stride=stride)).eval()
    with torch.no_grad():
        assert block(torch.zeros(2, into, height, width)).shape == (2, out, -(-height // stride), -(-width // stride))


def test_pooling_gives_one_pixel_of_the_mean() -> None:
    x = torch.rand(2, 4, 3, 5, dtype=torch.float64)
    torch.testing.assert_close(build(placed("global_average", {}))(x)[:, :, 0, 0], x.mean((2, 3)))


def test_a_skip_that_keeps_the_shape_is_the_identity() -> None:
    assert isinstance(build(placed("skip", {})), nn.Identity)


@pytest.mark.parametrize("change", [{"stride": 2}, {"out": 6}])
def test_a_skip_that_changes_the_shape_is_a_projection(change: dict[str, int]) -> None:
    block = build(placed("skip", {}, **change))
    out = change.get("out", 4)
    assert params_of(block) == 4 * out + 2 * out


@pytest.mark.parametrize(("change", "residual"), [({}, True), ({"stride": 2}, False), ({"out": 6}, False)])
def test_an_inverted_residual_adds_its_input_where_the_shape_is_kept(change: dict[str, int], residual: bool) -> None:
    block = build(placed("mobile", {"kernel": 3, "expansion": 2}, **change)).eval()
    assert isinstance(block, InvertedResidual)
    x = torch.rand(1, 4, 8, 8)
    with torch.no_grad():
        assert torch.equal(block(x), x + block.body(x) if residual else block.body(x))


def test_expansion_1_has_no_expanding_convolution() -> None:
    kernels = [m.kernel_size for m in build(placed("mobile", {"kernel": 5, "expansion": 1})).modules() if is_conv(m)]
    assert kernels == [(5, 5), (1, 1)]


def is_conv(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d)


@pytest.mark.parametrize(
    ("op", "options", "message"),
    [
        ("mobil", {}, "there is no operation 'mobil'; did you mean 'mobile'?"),
        ("conv", {"kernel": 3, "dilation": 2}, "unexpected keyword argument 'dilation'"),
        ("mobile", {"kernel": 3}, "missing 1 required keyword-only argument: 'expansion'"),
        ("conv", {"kernel": 3, "activation": "relu7"}, "there is no activation 'relu7'; did you mean 'relu"),
        ("mobile", {"kernel": 4, "expansion": 2}, "kernel 4 is even"),
        ("classifier", {"dropout": 2.0}, "dropout probability"),
    ],
)
def test_a_wrong_block_is_refused_with_its_layer_and_name(op: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=f"layer_03, block 'b'.*{re.escape(message)}") as caught:
        build(placed(op, options))
    assert caught.value.exit_code == 2


def test_pooling_into_other_channels_is_refused() -> None:
    with pytest.raises(UsageError, match="pooling keeps the channels, it cannot make 6 of 4"):
        build(placed("global_average", {}, out=6))


def test_every_operation_is_tested_here() -> None:
    assert set(BUILDERS) == {*OPTIONS, "global_average", "classifier"}
