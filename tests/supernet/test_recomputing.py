from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nascli.search_space.tiny import Tiny
from nascli.space import Forward, Selection
from nascli.supernet.base import Supernet
from nascli.supernet.mutables import LayerChoice, Repeat
from nascli.training_agent.memory import activation_bytes

from .helpers import X, calls, layer


def both(network: Any) -> tuple[Supernet, Supernet]:
    """The same twice: one that keeps its activations, one that computes them again."""
    found = []
    for recompute in (False, True):
        torch.manual_seed(0)
        found.append(Supernet(network()).train())
        found[-1].recompute = recompute
    return found[0], found[1]


def stepped(supernet: Supernet, x: Tensor, forward: Forward) -> dict[str, Tensor]:
    """Output, gradients and buffers of one step."""
    torch.manual_seed(1)
    output = supernet(x, forward)
    output.square().sum().backward()
    gradients = {name: p.grad for name, p in supernet.named_parameters() if p.grad is not None}
    return {"output": output.detach(), **gradients, **{f"{name} (buffer)": b for name, b in supernet.named_buffers()}}


def equal(network: Any, x: Tensor, forward: Forward) -> None:
    kept, again = (stepped(supernet, x, forward) for supernet in both(network))
    assert kept.keys() == again.keys()
    for name, value in kept.items():
        assert torch.equal(value, again[name]), name


def candidate() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(0.5))


@pytest.mark.parametrize(
    "selection", [Selection((1,)), Selection((0, 1)), Selection((0, 1), torch.tensor([0.25, 0.75]))]
)
def test_output_gradients_and_running_statistics_are_those_of_kept_activations(selection: Selection) -> None:
    def network() -> nn.Module:
        return nn.Sequential(LayerChoice([candidate(), candidate()], label="a"), nn.Conv2d(3, 2, 1))

    equal(network, torch.randn(4, 3, 6, 6), {"a": selection})


def test_choices_inside_of_a_candidate_and_repeated_blocks_run_as_they_did() -> None:
    def network() -> nn.Module:
        inner = nn.Sequential(LayerChoice([candidate(), candidate()], label="inner"), nn.BatchNorm2d(3))
        blocks = Repeat([candidate() for _ in range(3)], depth=(1, 3), label="depth")
        return nn.Sequential(LayerChoice([inner, candidate()], label="outer"), blocks)

    forward = {"outer": Selection((0,)), "inner": Selection((1,)), "depth": Selection((0, 1))}
    equal(network, torch.randn(4, 3, 6, 6), forward)


def test_a_candidate_runs_twice_in_training_and_once_without_gradients() -> None:
    supernet = Supernet(layer(label="a"))
    supernet.recompute = True
    supernet(X, {"a": Selection((2,))}).sum().backward()
    assert calls(supernet) == [0, 0, 2, 0]
    with torch.no_grad():
        supernet(X, {"a": Selection((0,))})
    assert calls(supernet) == [1, 0, 2, 0]


def test_fewer_activations_are_kept() -> None:
    space = Tiny(Tiny.Config(width=4))
    supernet = space.supernet()
    forward = space.space.forward([1] * len(space.space.decisions))
    sizes = []
    for recompute in (False, True):
        supernet.recompute = recompute
        sizes.append(activation_bytes(supernet, forward, space.space.input_shape, 8))
    assert sizes[1] < sizes[0] / 2
