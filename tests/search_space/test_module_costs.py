from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nascli.cost.latency import Latency
from nascli.cost.macs import Macs
from nascli.cost.meter import Meter
from nascli.cost.params import Params
from nascli.search_space.module_space import ModuleSpace
from nascli.supernet.mutables import InputChoice, LayerChoice

from .helpers import params_of
from .networks import SHAPE, Net, all_of, conv, kernels, of
from .small_networks import NETWORKS, Again, Behind, Linked, ModuleTwice, Nested, Plain, Shared, Subsets


def factors(space: ModuleSpace, meter: Meter) -> set[tuple[str, ...]]:
    """The labels of the decisions of each factor."""
    labels = [d.label for d in space.space.decisions]
    return {tuple(labels[i] for i in f.decisions) for f in space.lookup_table([meter])[meter.metric].factors}


def test_independent_decisions_have_factors_of_their_own() -> None:
    assert factors(of(Plain), Macs()) == {("first",), ("second",)}


def test_a_nested_decision_has_its_costs_with_those_around_it() -> None:
    assert factors(of(Nested), Macs()) == {
        ("outer",),
        ("outer", "middle"),
        ("outer", "middle", "deepest"),
        ("outer", "inner"),
    }


def test_a_named_choice_has_its_costs_with_those_that_take_it() -> None:
    assert factors(of(Linked), Macs()) == {
        ("two", "some", "a"),
        ("two", "b"),
        ("two", "b", "inside"),
        ("some", "c"),
    }


def test_costs_that_depend_on_shapes_are_shared_with_the_input_choices_before() -> None:
    found = factors(of(Behind), Macs())
    assert ("source", "kernel", "width") in found
    assert factors(of(Behind), Params()) == {("source",), ("kernel",), ("width",), ("block",), ("block", "inside")}


def test_modules_are_counted_once_and_calls_each_time() -> None:
    space = of(Again)
    costs = space.lookup_table([Macs(), Params()])
    plain, wide = (np.array([i, 0]) for i in (0, 1))
    assert costs.total("params", wide) - costs.total("params", plain) == 4 * 4 * (9 - 1)
    assert costs.total("macs", wide) - costs.total("macs", plain) == 4 * 4 * (9 - 1) * 2 * (6 * 5 + 3 * 2)


def test_places_of_one_label_add_up() -> None:
    costs = of(Shared).lookup_table([Params()])
    step = costs.total("params", np.array([1, 0])) - costs.total("params", np.array([0, 0]))
    assert step == (9 - 1) * (4 * 4 + 4 * 6 + 6 * 4)


def test_a_module_of_two_choices_counts_once_where_either_takes_it() -> None:
    space = of(ModuleTwice)
    costs = space.lookup_table([Params()])
    both, one, other = (np.array([first, second, 0, 0]) for first, second in ((0, 1), (0, 0), (1, 1)))
    assert costs.total("params", both) == costs.total("params", one) == costs.total("params", other)
    assert ("first", "second") in factors(space, Params())
    assert ("first", "second") in space.space.tied


class Wide(Net):
    """What stands behind a concatenation of any subset of n tensors."""

    def __init__(self, n: int = 7) -> None:
        self.n = n
        super().__init__()

    def build(self) -> None:
        self.width = InputChoice(self.n, reduction="concat", label="width")
        self.block = LayerChoice([nn.Identity(), Each()], label="block")

    def body(self, x: Tensor) -> Tensor:
        return self.block(self.width([x] * self.n)).unflatten(1, (-1, 4)).mean(1)


class Each(nn.Module):
    """The same convolution for each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.layer(x[:, i : i + 1]) for i in range(x.shape[1])], dim=1)


def test_too_many_shapes_are_inexact_and_say_so() -> None:
    space = of(Wide)
    costs = space.lookup_table([Macs(), Params()])
    assert not costs["macs"].exact
    assert costs["macs"].notes["inexact"] == "shapes depend on too many joint indices of width"
    assert (costs["params"].exact, dict(costs["params"].notes)) == (True, {})
    assert space.space.tied == ()


def test_fewer_shapes_are_exact() -> None:
    space = of(Wide, n=3)
    costs = space.lookup_table([Macs()])
    assert costs["macs"].exact
    extra = [costs.total("macs", np.array([i, 1])) - costs.total("macs", np.array([i, 0])) for i in range(7)]
    assert [int(cost[0]) for cost in extra] == [4 * 30] * 3 + [8 * 30] * 3 + [12 * 30]
    assert space.space.tied == (("block", "width"),)


class Outside(Net):
    """A part of a candidate that is also a fixed part."""

    def build(self) -> None:
        self.fixed = conv()
        self.choice = LayerChoice([nn.Sequential(self.fixed, nn.ReLU()), conv()], label="choice")

    def body(self, x: Tensor) -> Tensor:
        return self.choice(self.fixed(x))


def test_parameters_that_two_parts_share_are_inexact_and_say_so() -> None:
    costs = of(Outside).lookup_table([Macs(), Params()])
    assert costs["macs"].exact
    assert not costs["params"].exact
    assert "share parameters" in costs["params"].notes["inexact"]


class Exclusive(Net):
    """A part of all candidates of one choice, and of candidates inside of different ones."""

    def build(self) -> None:
        part, other = conv(), conv(kernel=3)
        inner = LayerChoice([nn.Sequential(other, nn.ReLU()), nn.Identity()], label="inner")
        self.choice = LayerChoice(
            [nn.Sequential(part, inner), nn.Sequential(conv(), part), nn.Sequential(other, nn.ReLU())]
        )

    def body(self, x: Tensor) -> Tensor:
        return self.choice(x)


def test_parameters_that_no_architecture_has_twice_are_exact() -> None:
    space = of(Exclusive)
    costs, archs = space.lookup_table([Params()]), all_of(space)
    assert costs["params"].exact
    assert costs.total("params", archs).tolist() == [params_of(space.model(arch)) for arch in archs.tolist()]


class Counting(Meter):
    """How many blocks are measured."""

    metric, unit, exact = "blocks", "1", True

    def __init__(self) -> None:
        super().__init__()
        self.measured = 0

    def measure(self, module: nn.Module, shape: tuple[int, ...]) -> int:
        self.measured += 1
        assert not module.training
        return 1


def test_equal_calls_are_measured_once() -> None:
    def net() -> nn.Module:
        layers = [kernels(f"layer_{i}") for i in range(5)]
        return nn.Sequential(nn.Conv2d(2, 4, 1), *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))

    meter, space = Counting(), of(net)
    metric = space.lookup_table([meter])["blocks"]
    assert meter.measured == 1 + 2
    assert metric.total(all_of(space)).tolist() == [6] * 32


def test_every_decision_has_a_cost() -> None:
    for network in NETWORKS:
        space = of(network)
        covered = {label for labels in factors(space, Counting()) for label in labels}
        assert covered == {d.label for d in space.space.decisions}


def test_costs_are_the_same_each_time() -> None:
    def totals() -> Sequence[object]:
        space = of(Behind)
        costs = space.lookup_table([Macs(), Params()])
        return [(f.decisions, f.values.tolist()) for m in costs.metrics.values() for f in m.factors]

    assert totals() == totals()


@pytest.mark.parametrize("network", [Plain, Behind])
def test_latency_is_finite_and_not_exact(network: type[nn.Module]) -> None:
    metric = of(network).lookup_table([Latency(Latency.Config(rounds=3, warmup=1, networks=0, budget_s=0.01))])[
        "latency_ms"
    ]
    assert not metric.exact
    assert "inexact" not in metric.notes
    assert metric.total(all_of(of(network))).min() > 0
    assert {factor.values.dtype.kind for factor in metric.factors} == {"f"}


@pytest.mark.parametrize("network", [Subsets, Linked])
def test_a_decoded_network_measures_what_the_table_says(network: type[nn.Module]) -> None:
    """Tensors that are computed and not taken are in both."""
    space = of(network)
    archs = all_of(space)[::7]
    totals = space.lookup_table([Macs()]).total("macs", archs)
    assert totals.tolist() == [Macs().measure(space.model(arch).eval(), SHAPE) for arch in archs.tolist()]
