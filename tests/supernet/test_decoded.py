from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn

from nascli.space import Forward
from nascli.supernet.base import Supernet
from nascli.supernet.choices import choices_of
from nascli.supernet.decoded import Absent, Chosen, decode
from nascli.supernet.mutables import InputChoice, LayerChoice, Mutable, Repeat

from .helpers import NETWORKS, Rows, Scaled, X, architectures, indices, space_of, trained


def decoded(network: nn.Module, **chosen: int | None) -> nn.Module:
    choices_of(network)
    return decode(network, chosen)


def parameters_that_run(network: nn.Module, forward: Forward) -> set[int]:
    """The identities of the parameters of all modules that a forward calls."""
    ran: set[int] = set()

    def remember(module: nn.Module, inputs: Any) -> None:
        ran.update(map(id, module.parameters(recurse=False)))

    hooks = [module.register_forward_pre_hook(remember) for module in network.modules()]
    Supernet(network)(X, forward)
    for hook in hooks:
        hook.remove()
    return ran


@pytest.mark.parametrize("make", NETWORKS)
def test_a_decoded_network_computes_what_the_path_of_the_supernet_computes(make: type[nn.Module]) -> None:
    network = trained(make)
    space, supernet = space_of(network), Supernet(network)
    for arch in architectures(space):
        with torch.no_grad():
            expected = supernet(X, space.forward(arch))
            found = decode(deepcopy(network), indices(space, arch))(X)
        assert torch.equal(found, expected), arch


@pytest.mark.parametrize("make", NETWORKS)
def test_a_decoded_network_has_no_choice_and_the_weights_of_its_path_alone(make: type[nn.Module]) -> None:
    network = trained(make)
    space = space_of(network)
    for arch in architectures(space)[::3]:
        copy = deepcopy(network)
        ran = parameters_that_run(copy, space.forward(arch))
        found = decode(copy, indices(space, arch))
        assert not any(isinstance(module, Mutable) for module in found.modules())
        assert {id(p) for p in found.parameters()} == ran


def test_decoding_changes_the_network_in_place_and_keeps_its_names() -> None:
    network = Rows()
    chosen = [network.a["thin"], network.b["thin"], network.c[0]]
    assert decoded(network, alike=1, c=0) is network
    assert [network.a, network.b, network.c] == chosen
    assert network.again is network.c
    assert network.inside["c"] is network.c


def test_a_network_that_is_one_choice_becomes_what_it_chose() -> None:
    choice = LayerChoice([Scaled(2.0), Scaled(3.0)], label="op")
    assert decoded(choice, op=1) is choice[1]


def test_a_repeat_becomes_its_first_blocks() -> None:
    blocks = [Scaled(2.0), Scaled(3.0), Scaled(5.0)]
    found = decoded(Repeat(blocks, (1, 3), label="depth"), depth=1)
    assert isinstance(found, nn.Sequential)
    assert list(found) == blocks[:2]


def test_a_repeat_of_depth_0_becomes_the_identity() -> None:
    found = decoded(Repeat([Scaled(2.0)], (0, 1), label="depth"), depth=0)
    assert found(X) is X
    assert list(found.parameters()) == []


def test_an_input_choice_becomes_a_reduction_of_the_chosen() -> None:
    found = decoded(InputChoice(3, reduction="mean", label="in"), **{"in": 4})
    assert isinstance(found, Chosen)
    assert torch.equal(found([X, None, 3 * X]), 2 * X)  # type: ignore[list-item]
    assert repr(found) == "Chosen((0, 2), mean)"


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [("sum", 4 * X), ("mean", 2 * X), ("concat", torch.cat([X, 3 * X], dim=1)), ("none", [X, 3 * X])],
)
def test_every_reduction_is_kept(reduction: Any, expected: Any) -> None:
    found = decoded(InputChoice(2, reduction=reduction, label="in"), **{"in": 2})([X, 3 * X])
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_a_layer_without_reduction_stays_in_a_list_and_takes_all_arguments() -> None:
    class Affine(nn.Module):
        """x · scale + shift."""

        def forward(self, x: torch.Tensor, scale: float, *, shift: float) -> torch.Tensor:
            return x * scale + shift

    found = decoded(LayerChoice([Affine()], reduction="none", label="op"), op=0)
    (output,) = found(X, 2.0, shift=1.0)
    assert torch.equal(output, 2 * X + 1)


def test_a_choice_that_does_not_exist_becomes_nothing() -> None:
    network = nn.ModuleDict({"op": LayerChoice([Scaled(2.0)], label="op"), "other": Scaled(3.0)})
    found = decoded(network, op=None)
    assert isinstance(found["op"], Absent)  # type: ignore[index]
    assert found["op"](X, any_thing=1) is None  # type: ignore[index]
    assert list(found.state_dict()) == ["other.factor"]


def test_modules_that_are_not_there_stay_so() -> None:
    network = nn.Sequential(LayerChoice([Scaled(2.0)], label="op"))
    network.register_module("later", None)
    assert decoded(network, op=0).later is None


@pytest.mark.parametrize("index", [2, None])
def test_a_choice_at_two_places_becomes_one_module(index: int | None) -> None:
    shared = Repeat([Scaled(2.0), Scaled(3.0)], (0, 2), label="depth")
    network = decoded(nn.ModuleDict({"a": nn.Sequential(shared), "b": nn.Sequential(shared)}), depth=index)
    assert network.get_submodule("a.0") is network.get_submodule("b.0")
