from __future__ import annotations

import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nascli.component import resolve
from nascli.cost.macs import Macs
from nascli.cost.meter import Meter
from nascli.cost.params import Params

torch.set_num_threads(1)


def counted_by_torch(module: nn.Module, shape: tuple[int, ...]) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.eval()(torch.zeros(1, *shape))
    return counter.get_total_flops() / 2


@st.composite
def blocks(draw):
    """Two convolutions of any kind, BatchNorm, activation, and perhaps a pooled linear head."""
    groups, size = draw(st.sampled_from([1, 2, 4])), draw(st.integers(5, 9))
    kernel, stride = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    padding = draw(st.sampled_from([0, 1, "same"] if stride == 1 else [0, 1]))
    first = nn.Conv2d(4, 8, kernel, stride, padding, groups=groups, bias=draw(st.booleans()))
    kind = draw(st.sampled_from([nn.Conv2d, nn.ConvTranspose2d]))
    layers = [first, nn.BatchNorm2d(8), nn.ReLU(), kind(8, 4 * draw(st.integers(1, 3)), 1, groups=groups)]
    if draw(st.booleans()):
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(draw(st.integers(1, 9)))]
    module = nn.Sequential(*layers).eval()
    module(torch.zeros(1, 4, size, size))
    return module, (4, size, size)


@settings(max_examples=30, deadline=None)
@pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel lengths:UserWarning")
@given(blocks())
def test_counts_half_the_operations_that_torch_counts(block):
    assert Macs().measure(*block) == counted_by_torch(*block)


def test_a_known_convolution():
    assert Macs().measure(nn.Conv2d(3, 8, 3, padding=1), (3, 10, 10)) == 3 * 8 * 9 * 100


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_named_padding_counts(padding):
    module = nn.Conv2d(3, 8, 3, padding=padding)
    assert Macs().measure(module, (3, 8, 8)) == counted_by_torch(module, (3, 8, 8)) > 0


def test_nothing_else_counts():
    module = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU6(), nn.AvgPool2d(2), nn.Upsample(scale_factor=2)).eval()
    assert Macs().measure(module, (4, 8, 8)) == 0


def test_a_skip_connection_is_free():
    assert Macs().measure(nn.Identity(), (4, 8, 8)) == 0


def test_a_module_that_runs_twice_counts_twice():
    layer = nn.Conv2d(4, 4, 1)
    assert Macs().measure(nn.Sequential(layer, layer), (4, 3, 3)) == 2 * Macs().measure(layer, (4, 3, 3))


def test_macs_are_a_whole_python_number():
    assert type(Macs().measure(nn.Conv2d(3, 8, 3), (3, 10, 10))) is int


def test_the_dtype_of_the_module_does_not_matter():
    assert Macs().measure(nn.Conv2d(3, 8, 1).double(), (3, 4, 4)) == 3 * 8 * 16


def test_it_says_nothing_about_operators_it_leaves_out(caplog):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Macs().measure(nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sigmoid(), nn.Softmax(1)), (3, 4, 4))
    assert caplog.text == ""


def test_measuring_leaves_the_module_as_it_was():
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    Macs().measure(module, (3, 4, 4))
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_params_are_parameters_not_buffers():
    assert Params().measure(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)), (3, 4, 4)) == 12 + 4 + 8


def test_a_shared_parameter_counts_once():
    layer = nn.Linear(3, 3)
    assert Params().measure(nn.Sequential(layer, layer), (3,)) == 12


@pytest.mark.parametrize("cls", [Macs, Params])
def test_built_in_meters_count_exactly(cls):
    assert (cls.metric, cls.exact) == (cls.__name__.lower(), True)


def test_meters_resolve_as_components():
    assert isinstance(resolve("meter", "nascli.cost.macs:Macs").build(), Meter)


def test_many_blocks_are_measured_in_their_order():
    assert Params().measure_all([(nn.Linear(2, 3), (2,)), (nn.Identity(), (2,))]) == [9, 0]


class Wasteful(nn.Module):
    """Computes a branch whose result it does not use."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 8, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.unused(x)
        return self.used(x)


def test_what_is_executed_counts_even_if_nothing_needs_it() -> None:
    module = Wasteful()
    assert Macs().measure(module, (3, 5, 5)) == 25 * (3 * 4 + 9 * 3 * 8) == counted_by_torch(module, (3, 5, 5))
    assert not module.unused._forward_hooks
