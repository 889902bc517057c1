from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from nascli.training_agent.folding import folded, traced

from .helpers import fresh, state_of


class Net(nn.Module):
    """A convolution and a BatchNorm, called by a function."""

    def __init__(self, call: Callable[[Any, Tensor], Any], **norm: Any) -> None:
        super().__init__()
        self.conv, self.norm, self.call = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3, **norm), call

    def forward(self, x: Tensor) -> Any:
        return self.call(self, x)


def in_a_row(net: Any, x: Tensor) -> Any:
    return net.norm(net.conv(x)).relu()


def images(dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0), dtype=dtype)


def made(net: nn.Module) -> nn.Module:
    """In evaluation mode, BatchNorm far from the identity."""
    generator = torch.Generator().manual_seed(1)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.running_var, module.weight, module.bias):
                if tensor is not None:
                    tensor.data.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return net.eval()


@torch.no_grad()
def found(net: nn.Module, x: Tensor | None = None) -> list[Any]:
    given = images() if x is None else x
    return traced(net, lambda: net(given))[0]


class Scaled(torch.autograd.Function):
    """An operation that torch's functions do not show."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return 2 * gradients[0]


def residual(net: Any, x: Tensor) -> Any:
    y = net.conv(x)
    return net.norm(y) + y


def changed_between(net: Any, x: Tensor) -> Any:
    return net.norm(net.conv(x).relu_())


def conv_twice(net: Any, x: Tensor) -> Any:
    return net.norm(net.conv(net.conv(x)))


def norm_twice(net: Any, x: Tensor) -> Any:
    return net.norm(net.norm(net.conv(x)))


def one_output_in_two_norms(net: Any, x: Tensor) -> Any:
    y = net.conv(x)
    return net.norm(y) + net.norm(y)


def also_an_output(net: Any, x: Tensor) -> Any:
    y = net.conv(x)
    return net.norm(y), y


def read_by_a_function_of_ones_own(net: Any, x: Tensor) -> Any:
    y = net.conv(x)
    return net.norm(y) + Scaled.apply(y)


def a_part_of_it(net: Any, x: Tensor) -> Any:
    y = net.conv(x)
    return net.norm(y) + y[:, :1]


def weight_as_a_function(net: Any, x: Tensor) -> Any:
    return net.norm(nn.functional.conv2d(x, net.conv.weight))


REFUSED = [
    residual,
    changed_between,
    conv_twice,
    norm_twice,
    one_output_in_two_norms,
    also_an_output,
    read_by_a_function_of_ones_own,
    a_part_of_it,
    weight_as_a_function,
]


def test_a_pair_is_found_in_a_forward_of_ones_own() -> None:
    net = made(Net(in_a_row))
    assert [(pair.conv, pair.norm) for pair in found(net)] == [(net.conv, net.norm)]


def test_pairs_of_a_sequence_come_in_the_order_of_the_run() -> None:
    layers = [nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 1), nn.BatchNorm2d(3)]
    assert [(p.conv, p.norm) for p in found(made(nn.Sequential(*layers)))] == [tuple(layers[:2]), tuple(layers[3:])]


@pytest.mark.parametrize("call", REFUSED, ids=lambda call: call.__name__)
def test_what_is_not_proven_is_left_alone(call: Callable[[Any, Tensor], Any]) -> None:
    assert found(made(Net(call))) == []


def test_batchnorm_without_running_statistics_is_left_alone() -> None:
    assert found(made(Net(in_a_row, track_running_stats=False))) == []


def test_layers_that_are_watched_or_parametrised_are_left_alone() -> None:
    watched, parametrised = made(Net(in_a_row)), made(Net(in_a_row))
    watched.conv.register_forward_hook(lambda *given: None)
    parametrizations.weight_norm(parametrised.conv)
    assert found(watched) == found(parametrised) == []


def test_the_same_pairs_are_found_each_time() -> None:
    """Tensors that are gone may have had the identity of one that is there."""
    blocks = [nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.ReLU()) for _ in range(12)]
    net = made(nn.Sequential(*blocks))
    assert [len(found(net, images() + i)) for i in range(20)] == [12] * 20


@pytest.mark.parametrize("options", [{}, {"affine": False}, {"eps": 0.1}])
@pytest.mark.parametrize("conv", [nn.Conv2d(3, 6, 3, bias=False), nn.Conv2d(3, 6, 3, 2, 1, groups=3)])
def test_folding_changes_float64_outputs_by_rounding_alone(conv: nn.Module, options: dict[str, Any]) -> None:
    net = made(nn.Sequential(conv, nn.BatchNorm2d(6, **options), nn.Hardswish()).double())
    x = images(torch.float64)
    pairs = found(net, x)
    with torch.no_grad():
        plain = net(x)
        with folded(pairs):
            together = net(x)
    assert len(pairs) == 1
    torch.testing.assert_close(together, plain, rtol=0, atol=1e-9)
    assert not torch.equal(together, plain)


def test_padding_modes_are_kept() -> None:
    net = made(nn.Sequential(nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"), nn.BatchNorm2d(3)).double())
    x = images(torch.float64)
    with torch.no_grad(), folded(found(net, x)):
        together = net(x)
    torch.testing.assert_close(together, net(x).detach(), rtol=0, atol=1e-9)


def test_folding_runs_no_batchnorm_and_writes_nothing() -> None:
    net = made(fresh(lambda: Net(in_a_row))).eval()
    before, pairs = state_of(net), found(net)
    with folded(pairs), torch.profiler.profile() as watched:
        net(images())
    assert not any("batch_norm" in event.key for event in watched.key_averages())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_an_error_inside_ends_folding_too() -> None:
    net = made(Net(in_a_row))
    pairs, plain = found(net), net(images())
    with pytest.raises(ZeroDivisionError), folded(pairs):
        raise ZeroDivisionError
    assert torch.equal(net(images()), plain)
