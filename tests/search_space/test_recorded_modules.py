from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nascli.cost.latency import Latency
from nascli.cost.macs import Macs
from nascli.cost.params import Params
from nascli.search_space.recorded_modules import bound, signature
from nascli.search_space.recording import Call, record
from nascli.supernet.mutables import LayerChoice, Mutable

from .helpers import macs_of, params_of
from .networks import CLASSES, SHAPE, Net, conv, kernels
from .small_networks import NETWORKS, Arguments, Single, Subsets


def call(module: nn.Module, *args: Any, **kwargs: Any) -> Call:
    return Call(module.eval(), (), args, kwargs)


def key(module: nn.Module, *args: Any, **kwargs: Any) -> str:
    return signature(call(module, *(args or (torch.zeros(1, 4, 6, 6),)), **kwargs), {})


@pytest.mark.parametrize("network", NETWORKS)
def test_what_is_measured_has_no_choice_and_gives_what_was_recorded(network: type[nn.Module]) -> None:
    for found in record(network(), SHAPE).first:
        block = bound(found)
        assert not any(isinstance(module, Mutable) for module in block.modules())
        first = next(arg for arg in found.args if isinstance(arg, Tensor))
        given, expected = block(first), found.output
        leaves = ((given, expected),) if isinstance(given, Tensor) else zip(given, expected, strict=True)
        for one, other in leaves:
            if isinstance(one, Tensor):
                assert torch.equal(one, other)


def test_a_choice_that_is_called_twice_gives_what_it_gave_each_time() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = kernels("inner")

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.inner(x), self.inner(x[..., ::2])

    x = torch.zeros(1, 4, 6, 5)
    found = call(Twice(), x)
    found.inner += [(found.module.inner, x), (found.module.inner, x[..., ::2])]
    block = bound(found)
    for _ in range(2):
        assert [tuple(output.shape) for output in block(x)] == [(1, 4, 6, 5), (1, 4, 6, 3)]


def test_the_recorded_module_is_left_alone() -> None:
    network = Single()
    recording = record(network, SHAPE)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    for found in recording.first:
        bound(found)(torch.rand(3, *bound(found).shape))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert isinstance(network.only, LayerChoice)


def test_parts_before_a_choice_and_beside_it_are_counted() -> None:
    class Between(Net):
        """What leads to a choice leads nowhere once a constant stands in its place."""

        def build(self) -> None:
            self.before, self.choice, self.after = conv(), kernels(), conv()

        def body(self, x: Tensor) -> Tensor:
            return self.after(self.choice(self.before(x)))

    whole = bound(record(Between(), SHAPE).first[0])
    assert Macs().measure(whole, whole.shape) == (2 * 4 + 4 * 4 + 4 * 4) * 6 * 5 + 4 * CLASSES


def test_a_part_whose_first_tensor_does_not_matter_is_counted() -> None:
    ignoring = record(Arguments(), SHAPE).first[3]
    assert [tuple(arg.shape) for arg in ignoring.args] == [(1, 4, 6, 5), (1, 2, 6, 5)]
    assert Macs().measure(bound(ignoring), (4, 6, 5)) == 9 * 2 * 4 * 6 * 5


class Tokens(Net):
    """Images as rows of their own: the first dimension is no batch."""

    def build(self) -> None:
        self.choice = LayerChoice([nn.Linear(4, 4, bias=False), nn.Sequential(nn.Linear(4, 4), kernel_free())])

    def body(self, x: Tensor) -> Tensor:
        rows = x.flatten(2).transpose(1, 2).flatten(0, 1)
        return self.choice(rows).unflatten(0, (len(x), -1)).transpose(1, 2).unflatten(2, x.shape[2:])


def kernel_free() -> LayerChoice:
    return LayerChoice([nn.Identity(), nn.Linear(4, 4)])


def test_rows_that_are_no_images_are_all_counted() -> None:
    recording = record(Tokens(), SHAPE)
    plain = bound(recording.first[1])
    assert plain.shape == (30, 4)
    assert Macs().measure(plain, plain.shape) == macs_of(nn.Linear(4, 4), (30, 4)) == 30 * 16


@pytest.mark.parametrize("network", [*NETWORKS, Tokens])
def test_several_images_run_through_every_part(network: type[nn.Module]) -> None:
    blocks = [bound(found) for found in record(network(), SHAPE).first]
    for images in (3, 1, 2):
        for block in blocks:
            block(torch.rand(images, *block.shape))


def test_latency_is_measured_with_its_own_batch() -> None:
    blocks = [bound(found) for found in record(Subsets(), SHAPE).first]
    meter = Latency(Latency.Config(batch=4, rounds=3, warmup=1))
    assert all(cost > 0 for cost in meter.measure_all([(block, block.shape) for block in blocks]))


def test_an_argument_that_is_a_parameter_is_not_repeated() -> None:
    class Scaled(nn.Module):
        def forward(self, x: Tensor, scale: Tensor) -> Tensor:
            return x * scale

    block = bound(call(Scaled(), torch.zeros(1, 4), nn.Parameter(torch.ones(4))))
    assert block(torch.rand(5, 4)).shape == (5, 4)


def test_an_argument_of_whole_numbers_stays_one() -> None:
    block = bound(call(nn.Embedding(3, 2), torch.zeros(1, 5, dtype=torch.int64)))
    assert block.shape == (5,)
    assert block(torch.rand(2, 5)).shape == (2, 5, 2)


def test_a_part_without_a_tensor_argument_is_measured() -> None:
    class Grid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(1, 2, 1, bias=False)

        def forward(self, height: int) -> Tensor:
            out: Tensor = self.layer(torch.zeros(1, 1, height, 4))
            return out

    block = bound(call(Grid(), 3))
    assert (Macs().measure(block, block.shape), Params().measure(block, block.shape)) == (24, 2)


def test_choices_that_one_call_leaves_out_are_not_measured() -> None:
    class Sometimes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = kernels("inner")

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x) if x.shape[-1] > 3 else x

    block = bound(call(Sometimes(), torch.zeros(1, 4, 2, 2)))
    assert params_of(block) == 0


def test_equal_modules_have_one_signature() -> None:
    assert key(conv()) == key(conv())


class Tied(nn.Sequential):
    def __init__(self, tied: bool) -> None:
        super().__init__(nn.Linear(4, 4), nn.Linear(4, 4))
        if tied:
            self[1].weight = self[0].weight


def local(channels: int) -> nn.Module:
    """A class of one name and another meaning each time."""

    class Local(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([x] * channels, dim=1)

    return Local()


DIFFERENT: dict[str, tuple[nn.Module, nn.Module]] = {
    "weights": (nn.Conv2d(4, 4, 1), nn.Conv2d(4, 6, 1)),
    "an attribute": (nn.MaxPool2d(2), nn.MaxPool2d(3)),
    "a class": (nn.ReLU(), nn.Sigmoid()),
    "a class of the same name": (local(1), local(2)),
    "tied weights": (Tied(True), Tied(False)),
    "a part that stands twice": (
        nn.Sequential(*[nn.Linear(4, 4)] * 2),
        nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)),
    ),
    "one more part": (nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU(), nn.ReLU())),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_signatures_tell_modules_apart_by(what: str) -> None:
    one, other = DIFFERENT[what]
    assert key(one) != key(other)


def test_signatures_tell_arguments_apart() -> None:
    layer, x = conv(), torch.zeros(1, 4, 6, 6)
    assert (
        len({key(layer, x), key(layer, x[..., 1:]), key(layer, x, x), key(layer, x, scale=1), key(layer, x, scale=2)})
        == 5
    )


def test_signatures_tell_apart_what_choices_inside_gave() -> None:
    module, x = nn.Sequential(kernels("inner")), torch.zeros(1, 4, 6, 6)
    calls = [call(module, x) for _ in range(3)]
    for found, width in zip(calls, (6, 6, 3), strict=True):
        found.inner.append((module[0], x[..., :width]))
    keys = [signature(found, {}) for found in calls]
    assert keys[0] == keys[1] != keys[2]
