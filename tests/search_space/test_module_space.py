from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nascli.cost.macs import Macs
from nascli.cost.params import Params
from nascli.search_space.module_space import ModuleSpace, wrap
from nascli.space import Selection
from nascli.supernet.decoded import Absent
from nascli.supernet.mutables import LayerChoice, Mutable
from tests.cost.helpers import feasible, inside

from .helpers import images, macs_of, params_of, trained
from .networks import CLASSES, SHAPE, Net, all_of, conv, kernels, of, structure
from .small_networks import NETWORKS, Linked, Nested, Plain

COUNTS = {
    "Plain": 3 * 2,
    "Nested": (1 + 2 + 1) + 2 + 1,
    "Shared": 2 * 2,
    "TwoParents": 2 + 4 * 2,
    "Repeats": (1 + 2 * 2 + 2 * 4) * (1 + 1 + 2),
    "Linked": 10 + 3 * 8 + 3 * 10,
    "Again": 3 * 3,
    "Arguments": 3 * 2,
    "Subsets": 2 * 3 * 3 * 2,
    "Behind": 2 * 2 * (1 + 2) * 3,
    "ModuleTwice": 3 * 2 * 3 * 2,
    "Single": 1 * 2,
}
NAMES = [network.__name__ for network in NETWORKS]


@dataclass
class Tried:
    """One architecture of one network: what its decoded model is, gives and costs."""

    arch: list[int]
    decoded: Tensor
    path: Tensor
    kinds: set[type]
    structure: object
    macs: int
    params: int


@cache
def tried(name: str) -> tuple[ModuleSpace, list[Tried]]:
    """Every architecture of a network."""
    space = of(next(network for network in NETWORKS if network.__name__ == name))
    return space, list(_each(space))


def _each(space: ModuleSpace) -> Iterator[Tried]:
    supernet, x = trained(space), images(space)
    state = supernet.state_dict()
    for arch in all_of(space).tolist():
        model = space.model(arch).double().eval()
        inherited = space.inherit(state, arch)
        model.load_state_dict(inherited)
        with torch.no_grad():
            outputs = model(x), supernet(x, space.space.forward(arch))
        kinds = {type(module) for module in model.modules()}
        found = structure(model, inherited)
        yield Tried(arch, *outputs, kinds, found, macs_of(model.float(), SHAPE), params_of(model))


@pytest.mark.parametrize("name", NAMES)
def test_decoded_networks_compute_what_the_paths_of_the_supernet_compute(name: str) -> None:
    for found in tried(name)[1]:
        assert torch.equal(found.decoded, found.path), found.arch


@pytest.mark.parametrize("name", NAMES)
def test_table_totals_are_the_costs_of_the_decoded_networks(name: str) -> None:
    space, found = tried(name)
    costs, archs = space.lookup_table([Macs(), Params()]), np.array([one.arch for one in found])
    assert all(costs[metric].exact for metric in ("macs", "params"))
    assert costs.total("macs", archs).tolist() == [one.macs for one in found]
    assert costs.total("params", archs).tolist() == [one.params for one in found]


@pytest.mark.parametrize("name", NAMES)
def test_architectures_are_as_many_as_different_networks(name: str) -> None:
    space, found = tried(name)
    assert space.space.count == COUNTS[name]
    assert len({one.structure for one in found}) == COUNTS[name]


@pytest.mark.parametrize("name", NAMES)
def test_decoded_networks_have_no_choices(name: str) -> None:
    for found in tried(name)[1]:
        assert not any(issubclass(kind, Mutable) for kind in found.kinds), found.arch


@pytest.mark.parametrize("name", NAMES)
def test_expected_costs_of_certain_choices_are_totals(name: str) -> None:
    space = tried(name)[0]
    costs = space.lookup_table([Macs(), Params()])
    rng = np.random.default_rng(0)
    for arch in rng.integers(0, space.space.sizes, (8, len(space.space.sizes))):
        certain = [torch.eye(size, dtype=torch.float64)[i] for size, i in zip(space.space.sizes, arch, strict=True)]
        for metric in ("macs", "params"):
            assert costs[metric].expected(certain).item() == costs.total(metric, arch)[0]


@pytest.mark.parametrize("name", ["Nested", "Linked", "Behind", "ModuleTwice"])
def test_constraints_hold_on_decisions_that_share_costs(name: str) -> None:
    model = tried(name)[0].lookup_table([Macs(), Params()])
    totals = np.sort(model["macs"].total(all_of(tried(name)[0])))
    window = f"macs>={totals[len(totals) // 4]}", f"macs<={totals[-len(totals) // 4]}"
    found, expected = feasible(model, *window), inside(model, *window)
    assert 0 < len(expected) < len(totals)
    assert found.count.lower == found.count.upper == len(expected)
    assert {tuple(row) for row in found.sample(400, np.random.default_rng(0))} <= {tuple(row) for row in expected}


def test_a_nested_decision_exists_where_its_candidate_is_chosen() -> None:
    decisions = {d.label: d.active_if for d in of(Nested).space.decisions}
    assert decisions == {
        "outer": (),
        "middle": (("outer", (0,)),),
        "deepest": (("middle", (1,)),),
        "inner": (("outer", (1,)),),
    }


def test_a_choice_that_input_choices_name_is_not_there_unless_one_takes_it() -> None:
    space = of(Linked)
    labels = [d.label for d in space.space.decisions]
    arch = [{"two": 1, "some": 1}.get(label, 0) for label in labels]  # the stem and b; c alone
    model = space.model(arch)
    absent = {name for name, module in model.named_modules() if isinstance(module, Absent)}
    assert absent == {"a"}
    assert not any(name.startswith("a.") for name in model.state_dict())


def test_a_mixture_is_the_weighted_sum_of_its_candidates() -> None:
    space = of(Plain)
    supernet, x = trained(space), images(space)
    network: Plain = supernet.network  # type: ignore[assignment]
    p = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64, requires_grad=True)
    q = torch.tensor([0.6, 0.4], dtype=torch.float64)
    found = supernet(x, {"first": Selection((0, 1, 2), p), "second": Selection((0, 1), q)})
    y = network.stem(x)
    y = p[0] * network.first[0](y) + p[1] * y + p[2] * network.first[2](y)
    for once in (True, False):
        y = q[0] * network.second["k1"](y) + q[1] * network.second["k3"](y)
        y = torch.relu(y) if once else y
    assert torch.equal(found, network.head(y.mean((2, 3))))
    found.sum().backward()
    assert p.grad is not None
    assert p.grad.abs().min() > 0


def test_describing_and_counting_leave_the_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    space = of(Drawing)
    state = {f"network.{name}": tensor for name, tensor in space.network().state_dict().items()}
    torch.random.set_rng_state(before)
    assert space.space.count == 2
    space.lookup_table([Macs(), Params()])
    space.inherit(state, [1])
    assert torch.equal(torch.random.get_rng_state(), before)


class Drawing(Net):
    """A network whose forward draws random numbers."""

    def build(self) -> None:
        self.choice = LayerChoice([conv(), nn.Sequential(conv(), Noise())])

    def body(self, x: Tensor) -> Tensor:
        return self.choice(x + torch.rand_like(x))


class Noise(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)


def test_two_supernets_have_different_weights() -> None:
    space = of(Plain)
    first, second = (space.supernet().network.stem[0].weight for _ in range(2))  # type: ignore[index, union-attr]
    assert not torch.equal(first, second)


def test_a_function_that_makes_a_network_is_a_space() -> None:
    def net(width: int, input_shape: tuple[int, int, int], classes: int) -> nn.Module:
        """Words."""
        head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes)
        return nn.Sequential(nn.Conv2d(input_shape[0], width, 1), kernels("k", width, width), *head)

    space = of(net, width=6)
    assert (space.space.name, space.space.count, type(space).__doc__) == ("net", 2, "Words.")
    assert space.model([1])(torch.zeros(1, *SHAPE)).shape == (1, CLASSES)


def test_a_network_that_is_a_choice_is_a_space() -> None:
    def whole() -> nn.Module:
        return LayerChoice([nn.Sequential(nn.Flatten(), nn.Linear(60, CLASSES, bias=b)) for b in (True, False)])

    space = of(whole)
    supernet = trained(space)
    assert space.space.count == 2
    assert isinstance(space.model([1]), nn.Sequential)
    for arch in ([0], [1]):
        model = space.model(arch).double()
        model.load_state_dict(space.inherit(supernet.state_dict(), arch))
        assert torch.equal(model(images(space)), supernet(images(space), space.space.forward(arch)))
    assert space.lookup_table([Params()]).total("params", np.array([[0], [1]])).tolist() == [183, 180]


def test_the_space_lists_its_input_choices() -> None:
    assert of(Linked).space.details["inputs"] == ["some", "two"]


def test_the_description_goes_through_json() -> None:
    space = of(Linked).space
    assert space.from_description(json.loads(json.dumps(space.describe()))).fingerprint == space.fingerprint


def test_one_class_is_one_space() -> None:
    assert wrap(Plain) is wrap(Plain)


def test_a_networks_own_input_shape_is_the_default() -> None:
    class Small(Plain):
        """For small images."""

        def __init__(self, input_shape: tuple[int, int, int] = SHAPE, classes: int = CLASSES) -> None:
            super().__init__()

    config = wrap(Small).Config()
    assert (config.input_shape, config.classes) == (SHAPE, CLASSES)
