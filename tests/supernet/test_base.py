from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nascli.errors import UsageError
from nascli.search_space.tiny import Tiny
from nascli.space import Selection
from nascli.supernet.base import Supernet
from nascli.supernet.chain import Chain
from nascli.supernet.mutables import LayerChoice
from nascli.supernet.scope import choosing
from nascli.supernet.selected import Selected

from .helpers import FACTORS, Scaled, X, calls, layer


def chain(last: nn.Module) -> Supernet:
    return Supernet(Chain(Scaled(7.0), {name: layer(label=name) for name in "ab"}, last))


def test_a_chain_runs_first_layers_in_order_and_last() -> None:
    class Square(nn.Module):
        """Tells before from after."""

        def forward(self, x: Tensor) -> Tensor:
            return x.square()

    layers = {"b": LayerChoice([Scaled(2.0), Square()], label="b"), "a": LayerChoice([Scaled(5.0)], label="a")}
    supernet = Supernet(Chain(Scaled(7.0), layers, nn.Flatten()))
    found = supernet(X, {"a": Selection((0,)), "b": Selection((1,))})
    torch.testing.assert_close(found, (5 * (7 * X).square()).flatten(1))


def test_a_supernet_sums_what_is_selected_for_each_label() -> None:
    output = chain(nn.Flatten())(X, {"b": Selection((0, 1)), "a": Selection((2,))})
    torch.testing.assert_close(output, (7 * 5 * (2 - 3) * X).flatten(1))


def test_a_label_without_selection_is_an_error() -> None:
    with pytest.raises(UsageError, match="the forward selects nothing for 'b'"):
        chain(nn.Identity())(X, {"a": Selection((0,))})


def test_labels_that_no_choice_has_change_nothing() -> None:
    forward = {"a": Selection((0,)), "b": Selection((0,)), "more": Selection((9,))}
    torch.testing.assert_close(chain(nn.Identity())(X, forward), 28 * X)


def test_a_supernet_without_a_forward_runs_what_its_choices_are_bound_to() -> None:
    supernet = chain(nn.Identity())
    for module in supernet.modules():
        if isinstance(module, LayerChoice):
            module.chooser = Selected({"a": Selection((0,)), "b": Selection((1,))})
    torch.testing.assert_close(supernet(X), 7 * 2 * -3 * X)
    torch.testing.assert_close(supernet(X, {"a": Selection((3,)), "b": Selection((3,))}), 7 * 0.25 * X)
    torch.testing.assert_close(supernet(X), 7 * 2 * -3 * X)


def test_a_supernet_without_a_forward_and_without_a_mutator_is_an_error() -> None:
    with pytest.raises(UsageError, match="nothing has been chosen for it"):
        chain(nn.Identity())(X)


def test_a_supernet_inside_a_block_follows_its_own_forward() -> None:
    forward = {"a": Selection((0,)), "b": Selection((0,))}
    with choosing(Selected({"a": Selection((1,)), "b": Selection((1,))})):
        torch.testing.assert_close(chain(nn.Identity())(X, forward), 28 * X)
        torch.testing.assert_close(chain(nn.Identity())(X), 63 * X)


def test_an_error_in_a_layer_leaves_nothing_chosen() -> None:
    class Failing(nn.Module):
        """Fails."""

        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("broken")

    supernet = chain(Failing())
    with pytest.raises(RuntimeError, match="broken"):
        supernet(X, {"a": Selection((0,)), "b": Selection((0,))})
    with pytest.raises(UsageError, match="nothing has been chosen"):
        supernet(X)


def test_choices_with_one_label_choose_alike() -> None:
    network = nn.Sequential(layer(label="op"), Scaled(1.0), layer(label="op"))
    torch.testing.assert_close(Supernet(network)(X, {"op": Selection((2,))}), 25 * X)
    assert calls(network) == [0, 0, 1, 0, 1, 0, 0, 1, 0]


def test_the_network_of_a_supernet_keeps_its_names() -> None:
    names = [name for name, _ in chain(nn.Identity()).named_parameters()]
    candidates = [f"network.layers.{label}.{i}.factor" for label in "ab" for i in range(len(FACTORS))]
    assert names == ["network.first.factor", *candidates]


@settings(max_examples=15, deadline=None)
@given(st.tuples(*[st.integers(0, 4)] * 6))
def test_a_path_gives_gradients_to_itself_and_the_fixed_parts_alone(arch: tuple[int, ...]) -> None:
    space = Tiny(Tiny.Config(width=4))
    supernet: Any = space.supernet()
    supernet(torch.rand(2, 1, 8, 8), space.space.forward(arch)).sum().backward()
    touched = {name for name, p in supernet.named_parameters() if p.grad is not None}
    chosen = zip(space.space.decisions, arch, strict=True)
    path = tuple(f"network.layers.{d.label}.{d.candidates[i]}." for d, i in chosen)
    fixed = ("network.first.", "network.last.")
    assert touched == {name for name, _ in supernet.named_parameters() if name.startswith((*fixed, *path))}
