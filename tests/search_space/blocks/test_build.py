from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nascli.cost.macs import Macs
from nascli.errors import UsageError
from nascli.search_space.blocks.build import BUILDERS, build, is_own
from nascli.search_space.norm import Norm
from tests.search_space.helpers import macs_of

from .helpers import made, placed, random, refused

KERNEL = st.sampled_from([1, 3, 5, 7])
ACT = st.sampled_from(["relu", "relu6", "hswish", "silu", "prelu", "none", None])
OPTIONS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "conv": st.fixed_dictionaries({"kernel": KERNEL, "activation": ACT}),
    "depthwise": st.fixed_dictionaries({"kernel": KERNEL, "activation": ACT}),
    "separable": st.fixed_dictionaries({"kernel": KERNEL, "activation": ACT}),
    "mobile": st.fixed_dictionaries(
        {
            "kernel": KERNEL,
            "expansion": st.integers(1, 3),
            "activation": ACT,
            "se": st.booleans(),
            "groups": st.sampled_from([1, 2]),
            "expand": st.sampled_from([None, True]),
        }
    ),
    "mixconv": st.fixed_dictionaries(
        {
            "kernels": st.lists(KERNEL, min_size=1, max_size=2),
            "expansion": st.integers(1, 3),
            "activation": ACT,
            "se": st.booleans(),
        }
    ),
    "shuffle": st.fixed_dictionaries({"kernel": KERNEL, "activation": ACT}),
    "shuffle_x": st.fixed_dictionaries({"activation": ACT}),
    "aspp": st.fixed_dictionaries({"rates": st.lists(st.integers(1, 12), min_size=1, max_size=2)}),
    "skip": st.just({}),
    "avg_pool": st.fixed_dictionaries({}, optional={"kernel": KERNEL}),
    "max_pool": st.fixed_dictionaries({}, optional={"kernel": KERNEL}),
    "zero": st.just({}),
}
PLAIN: dict[str, dict[str, Any]] = {
    **{op: {"kernel": 3} for op in ("conv", "depthwise", "separable", "shuffle")},
    "mobile": {"kernel": 3, "expansion": 2},
    "mixconv": {"kernels": [3, 5], "expansion": 2},
}
NO_MAP = {"global_average", "global_depthwise", "classifier"}
PLACES = st.tuples(*[st.sampled_from([2, 4, 6])] * 2, st.integers(1, 3), *[st.integers(3, 9)] * 2)


def test_every_operation_that_keeps_a_map_is_tested_here() -> None:
    assert set(BUILDERS) == {*OPTIONS, *NO_MAP}


@pytest.mark.parametrize("op", OPTIONS)
@settings(max_examples=25)
@given(data=st.data())
def test_the_map_stays_or_is_divided_by_the_stride_rounded_up(op: str, data: st.DataObject) -> None:
    into, out, stride, height, width = data.draw(PLACES)
    out = into if op == "depthwise" else out
    block = made(op, data.draw(OPTIONS[op]), into=into, out=out, stride=stride)
    x = torch.rand(2, into, height, width, requires_grad=True)
    output = block(x)
    assert output.shape == (2, out, -(-height // stride), -(-width // stride))
    output.sum().backward()
    gradients = [x.grad, *(parameter.grad for parameter in block.parameters())]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("op", [op for op in OPTIONS if op != "zero"])
def test_all_channels_of_the_input_have_a_gradient(op: str) -> None:
    x = random(4).float().requires_grad_()
    made(op, PLAIN.get(op))(x).square().sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().amax((0, 2, 3)) > 0).all()


@pytest.mark.parametrize("op", OPTIONS)
@settings(max_examples=5)
@given(data=st.data())
def test_the_macs_of_a_block_are_those_that_torch_counts(op: str, data: st.DataObject) -> None:
    into, out, stride, height, width = data.draw(PLACES)
    out = into if op == "depthwise" else out
    block = made(op, data.draw(OPTIONS[op]), into=into, out=out, stride=stride).eval()
    assert Macs().measure(block, (into, height, width)) == macs_of(block, (into, height, width))


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "options", "message"),
    [
        ("mobil", {}, "there is no operation 'mobil'; did you mean 'mobile'?"),
        ("conv", {"kernel": 3, "dilation": 2}, "unexpected keyword argument 'dilation'"),
        ("mobile", {"kernel": 3}, "missing 1 required keyword-only argument: 'expansion'"),
        ("conv", {"kernel": 3, "activation": "relu7"}, "there is no activation 'relu7'; did you mean 'relu"),
        ("conv", {"kernel": 3, "activation": 7}, "there is no activation '7'"),
        ("mobile", {"kernel": 4, "expansion": 2}, "kernel 4 is even"),
        ("max_pool", {"kernel": 2}, "kernel 2 is even"),
        ("avg_pool", {"kernel": 2}, "kernel 2 is even"),
        ("mixconv", {"kernels": [3, 4], "expansion": 2}, "kernel 4 is even"),
        ("conv", {"kernel": "3"}, "kernel must be a whole number from 1 on, found '3'"),
        ("conv", {"kernel": -1}, "kernel must be a whole number from 1 on, found -1"),
        ("conv", {"kernel": True}, "kernel must be a whole number from 1 on, found True"),
        ("mobile", {"kernel": 3, "expansion": 0}, "expansion must be a whole number from 1 on, found 0"),
        ("mobile", {"kernel": 3, "expansion": 1.5}, "expansion must be a whole number from 1 on, found 1.5"),
        ("mobile", {"kernel": 3, "expansion": 2, "groups": 3}, "groups 3 do not divide 4 channels"),
        ("mobile", {"kernel": 3, "expansion": 2, "groups": 0}, "groups must be a whole number from 1 on, found 0"),
        ("mobile", {"kernel": 3, "expansion": 2, "expand": False}, "it needs expansion 1, found 2"),
        ("mixconv", {"kernels": 3, "expansion": 2}, "kernels must be a list of whole numbers from 1 on, found 3"),
        ("mixconv", {"kernels": [], "expansion": 2}, "kernels must be a list of whole numbers from 1 on, found []"),
        ("mixconv", {"kernels": [3] * 5, "expansion": 1}, "5 kernels cannot share 4 channels"),
        ("mixconv", {"kernels": [3, 5], "splits": [1, 2], "expansion": 1}, "2 numbers (one a kernel) that sum to 4"),
        ("mixconv", {"kernels": [3, 5], "splits": [4], "expansion": 1}, "2 numbers (one a kernel) that sum to 4"),
        ("mixconv", {"kernels": [3, 5], "splits": [4, 0], "expansion": 1}, "splits must be a whole number from 1 on"),
        ("aspp", {"rates": [0]}, "rates must be a whole number from 1 on, found 0"),
        ("aspp", {"rates": 12}, "rates must be a list of whole numbers from 1 on, found 12"),
        ("skip", {"kernel": 3}, "unexpected keyword argument 'kernel'"),
        ("classifier", {"dropout": 2.0}, "dropout probability"),
    ],
)
def test_a_wrong_block_is_refused_with_its_layer_and_name(op: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=f"layer_03, block 'b'.*{re.escape(message)}") as caught:
        build(placed(op, options))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("op", "options", "into", "out", "message"),
    [
        ("global_average", {}, 4, 6, "pooling keeps the channels, it cannot make 6 of 4"),
        ("depthwise", {"kernel": 3}, 4, 6, "a depthwise convolution keeps the channels, it cannot make 6 of 4"),
        ("mobile", {"kernel": 3, "expansion": 1, "groups": 2}, 4, 5, "groups 2 do not divide 5 channels"),
        ("mobile", {"kernel": 3, "expansion": 1, "groups": 2}, 5, 4, "groups 2 do not divide 5 channels"),
        ("shuffle", {"kernel": 3}, 5, 5, "two branches cannot share 5 channels; the number must be even"),
        ("shuffle_x", {}, 4, 7, "two branches cannot share 7 channels; the number must be even"),
    ],
)
def test_channels_that_do_not_fit_are_refused_with_their_numbers(
    op: str, options: dict[str, Any], into: int, out: int, message: str
) -> None:
    assert message in refused(op, options, into=into, out=out)


def test_an_operation_that_is_not_built_in_is_ones_own() -> None:
    assert [is_own(op) for op in ("conv", "./my.py:conv", "package.module:Conv", "convolution")] == [False, *[True] * 3]


def test_a_block_gets_the_norm_and_the_folder_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text("from torch.nn import BatchNorm2d\ndef norm(i, o, s): return BatchNorm2d(o)")
    for told in (placed("conv", {"kernel": 3}), placed("./my.py:norm")):
        network = build(told, Norm(0.25, track_running_stats=False), tmp_path)
        norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
        assert [(m.momentum, m.running_mean) for m in norms] == [(0.25, None)]
