"""What the training agent makes of the updates of differentiable training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from nascli.cost.model import CostModel
from nascli.space import Space
from nascli.supernet.base import Supernet
from nascli.supernet.choices import decisions_of
from nascli.supernet.mutables import LayerChoice
from nascli.training_strategy.base import Pass, Update
from nascli.training_strategy.differentiable import Differentiable
from nascli.training_strategy.hardware import HardwareConfig
from tests.cost.helpers import nested
from tests.training_agent.helpers import batch, fresh, gradients, state_of, tiny, updater

from .helpers import ALL, SAMPLED, cell, cell_costs, differentiable, images, step, turn, updates

MACS = {"hardware": (HardwareConfig(metric="macs"),)}
TINY = CostModel(tiny().space, {})


class WeightGradients(TorchDispatchMode):
    """Counts convolutions whose backward computes a gradient of its input, and of its weight."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs = self.weights = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.convolution_backward.default:
            self.inputs += args[-1][0]
            self.weights += args[-1][1]
        return func(*args, **(kwargs or {}))


@contextmanager
def counting() -> Iterator[WeightGradients]:
    with WeightGradients() as counts:
        yield counts


@pytest.mark.parametrize("mixture", ALL)
def test_an_architecture_step_touches_no_weight_and_no_buffer_and_computes_no_gradient_of_them(mixture: str) -> None:
    strategy, supernet = differentiable(TINY, mixture), fresh(tiny().supernet)
    before = state_of(supernet)
    (arch, weights), runner = step(strategy), updater(supernet, list(strategy.arch_parameters().values()))
    with counting() as counts:
        runner.run(arch, batch())
    assert (counts.weights, counts.inputs > 0) == (0, True)
    assert gradients(supernet) == {}
    assert all(torch.equal(value, before[name]) for name, value in supernet.state_dict().items())
    assert any(p.detach().ne(p[0].detach()).any() for p in strategy.arch_parameters().values())
    with counting() as counts:
        runner.run(weights, batch())
    assert counts.weights > 0


@pytest.mark.parametrize("mixture", ALL)
def test_a_weight_step_leaves_the_parameters_alone(mixture: str) -> None:
    strategy, supernet = differentiable(TINY, mixture), fresh(tiny().supernet)
    parameters = strategy.arch_parameters()
    before = {label: parameter.detach().clone() for label, parameter in parameters.items()}
    updater(supernet, list(parameters.values())).run(step(strategy)[1], batch())
    assert all(torch.equal(parameter, before[label]) for label, parameter in parameters.items())
    assert all(parameter.grad is None for parameter in parameters.values())


class Signed(nn.Module):
    """Factor times the input."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


class Toy(nn.Module):
    """The first candidate of its choice is right about the labels, the second is as wrong as that."""

    def __init__(self, labels: Tensor) -> None:
        super().__init__()
        self.register_buffer("logits", nn.functional.one_hot(labels, 4).float())
        self.choice = LayerChoice([Signed(1.0), Signed(-1.0)], label="choice")
        self.bias = nn.Parameter(torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.choice(self.logits) + self.bias
        return output


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("mixture", ALL)
def test_one_step_moves_the_parameters_towards_the_better_candidate(mixture: str, seed: int) -> None:
    data = images()
    supernet = Supernet(Toy(data.labels))
    space = Space("toy", decisions_of(supernet), (3, 8, 8), 4)
    strategy = differentiable(CostModel(space, {}), mixture)
    arch = updates(strategy, 0, seed)[0]
    updater(supernet, [strategy.arch_parameters()["choice"]]).run(arch, data)
    assert strategy.probabilities()["choice"][0] > 0.5


def expected(strategy: Differentiable, metric: str) -> float:
    return strategy.costs[metric].expected(list(strategy.probabilities().values())).item()


@pytest.mark.parametrize("mixture", ALL)
@pytest.mark.parametrize("metric", ["macs", "latency_ms"])
def test_the_penalty_alone_moves_the_expected_cost_down(mixture: str, metric: str) -> None:
    strategy = differentiable(cell_costs(), mixture, hardware=(HardwareConfig(metric=metric),))
    supernet, before = cell(), expected(strategy, metric)
    runner = updater(supernet, list(strategy.arch_parameters().values()))
    for _ in range(3):
        runner.run(Update([], "arch", "arch", step(strategy)[0].penalty), images())
        after = expected(strategy, metric)
        assert after < before
        before = after


def test_the_cost_is_that_of_probabilities_and_not_of_the_parameters() -> None:
    strategy = differentiable(nested(), "proxyless")
    for label, parameter in strategy.arch_parameters().items():
        turn(strategy, label, [40.0] * (len(parameter) - 1) + [140.0])
    last = [size - 1 for size in nested().space.sizes]
    assert expected(strategy, "macs") == pytest.approx(nested().total("macs", last)[0].item())


def test_several_metrics_add_up() -> None:
    one, other = HardwareConfig(metric="macs", weight=0.5), HardwareConfig(metric="latency_ms", weight=0.25)
    assert differentiable(cell_costs(), "gdas", hardware=(one, other)).penalty().item() == pytest.approx(0.75)


@pytest.mark.parametrize("mixture", ALL)
def test_the_gradient_is_that_of_the_loss_and_the_penalty(mixture: str) -> None:
    found: list[list[Tensor]] = []
    for parts in ("loss", "penalty", "both"):
        strategy, supernet = differentiable(cell_costs(), mixture, **MACS), cell()
        parameters = list(strategy.arch_parameters().values())
        arch = step(strategy)[0]
        passes, penalty = arch.passes if parts != "penalty" else [], arch.penalty if parts != "loss" else None
        updater(supernet, parameters).run(Update(passes, "arch", "arch", penalty), images())
        found.append([torch.zeros_like(p) if p.grad is None else p.grad for p in parameters])
    for loss, penalty, both in zip(*found, strict=True):
        torch.testing.assert_close(both, loss + penalty)


class Keeping(torch.optim.SGD):
    """Keeps gradients as zeros."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        super().zero_grad(set_to_none=False)


def moved_beside_the_path(mixture: str, keep: bool) -> set[str]:
    """The weights of candidates that weight steps changed though they were not on the path; those on it all moved."""
    strategy, supernet = differentiable(TINY, mixture), fresh(tiny().supernet)
    parameters = list(strategy.arch_parameters().values())
    runner = updater(supernet, parameters, weight_decay=0.3, momentum=0.9, learning_rate=0.01)
    if keep:
        runner.optimizers["weights"].__class__ = Keeping
    moved: set[str] = set()
    for number in range(4):
        arch, weights = step(strategy, number)
        runner.run(arch, batch())
        before = state_of(supernet)
        runner.run(weights, batch())
        ran = on_path(supernet, weights.passes[0])
        changed = {name for name, value in supernet.state_dict().items() if not torch.equal(value, before[name])}
        assert {name for name, p in supernet.named_parameters() if name.startswith(ran) and p.dim() > 1} <= changed
        moved |= {name for name in changed if ".layers." in name and not name.startswith(ran)}
    return moved


def on_path(supernet: Any, path: Pass) -> tuple[str, ...]:
    layers = supernet.network.layers
    assert path.forward is not None
    return tuple(
        f"network.layers.{label}.{layers[label].names[selection.active[0]]}."
        for label, selection in path.forward.items()
    )


@pytest.mark.parametrize("mixture", SAMPLED)
def test_candidates_beside_the_path_stay_bit_for_bit_what_they_were(mixture: str) -> None:
    assert moved_beside_the_path(mixture, keep=False) == set()


def test_with_gradients_kept_as_zeros_they_would_not() -> None:
    assert moved_beside_the_path("proxyless", keep=True)
