from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from nascli.search_space.sgnas import Sgnas
from nascli.search_space.sgnas_modules import UnifiedBlock
from nascli.space import Forward, Selection
from nascli.supernet.mutables import LayerChoice
from nascli.supernet.scope import choosing
from nascli.supernet.selected import Selected
from nascli.training_strategy.mutator import RandomMutator

from .helpers import images, trained
from .sgnas_helpers import FULL, K3, K5, K7, SPACE, SPARSE, ZERO, far, fresh, probabilities, single, unified, weighted


def test_every_decision_of_a_relaxed_forward_has_a_gradient() -> None:
    space = Sgnas(Sgnas.Config(input_shape=(3, 16, 16), strides="cifar"))
    weights = probabilities(space.space)
    trained(space).train()(images(space), weighted(space.space, weights)).square().sum().backward()
    assert weights.grad is not None
    assert weights.grad.abs().sum(dim=1).min() > 0
    assert torch.isfinite(weights.grad).all()


def by_hand(block: UnifiedBlock, x: Tensor, weights: Tensor, norm: int) -> Tensor:
    """The formula of the relaxed unified block, in evaluation mode, one convolution for the whole expansion."""
    channels, n = x.shape[1], len(block.places)
    expand = torch.cat([place.expand[0].weight for place in block.places])
    norms = [place.expand[1] for place in block.places]
    mean, var, scale, bias = (
        torch.cat([getattr(norm, name) for norm in norms]) for name in ("running_mean", "running_var", "weight", "bias")
    )
    wide = functional.batch_norm(functional.conv2d(x, expand), mean, var, scale, bias, eps=norms[0].eps).clamp(0, 6)
    shares = []
    for place, chunk, row in zip(block.places, wide.chunk(n, dim=1), weights, strict=True):
        total = torch.zeros(())
        for name, kernel, weight in zip(("k3", "k5", "k7"), (3, 5, 7), row, strict=False):
            conv, bn = place.choice[name][0], place.choice[name][1]
            stride, padding = conv.stride, kernel // 2
            y = bn(functional.conv2d(chunk, conv.weight, stride=stride, padding=padding, groups=channels))
            total = total + weight * y.clamp(0, 6)
        shares.append(total)
    y = block.norms[norm](functional.conv2d(torch.cat(shares, 1), block.project.weight))
    return x + y if y.shape == x.shape else y


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("zeros", [0, 3])
def test_a_relaxed_unified_block_is_its_formula(layer: int, zeros: int) -> None:
    block, x = unified(fresh(), layer), torch.rand(2, 4, 7, 7, dtype=torch.float64)
    weights = probabilities(SPACE.space)[:6].detach()
    weights[:, ZERO] = torch.tensor([2.0] * zeros + [0.01] * (6 - zeros))
    forward = {f"layer_{layer:02d}_{j}": Selection((0, 1, 2, 3), weights[j]) for j in range(6)}
    with choosing(Selected(forward)):
        found = block(x)
    assert far(found, by_hand(block, x, weights, norm=zeros)) <= 1e-12


def used_norms(block: UnifiedBlock) -> list[int]:
    """The BatchNorms of the projection that a step would change."""
    changed = [i for i, norm in enumerate(block.norms) if norm.weight.grad is not None]
    assert changed == [i for i, norm in enumerate(block.norms) if norm.num_batches_tracked > 0]
    return changed


def run(network: nn.Module, forward: Forward) -> Tensor:
    """One step's forward and backward, in training mode."""
    with choosing(Selected(forward)):
        output: Tensor = network.train()(images(SPACE))
    output.square().sum().backward()
    return output


@pytest.mark.parametrize("zeros", [0, 1, 2, 3, 4])
def test_a_step_touches_the_one_norm_of_the_number_of_zeros(zeros: int) -> None:
    network = fresh()
    run(network, single(SPACE, [K5] * (6 - zeros) + [ZERO] * zeros + FULL))
    assert [used_norms(unified(network, layer)) for layer in (0, 1)] == [[zeros], [0]]


@pytest.mark.parametrize(
    ("row", "count"),
    [((0.1, 0.2, 0.3, 0.4), 2), ((0.1, 0.2, 0.4, 0.3), 0), ((0.25, 0.25, 0.25, 0.25), 0), ((0.0, 0.0, 0.0, 1.0), 2)],
)
def test_the_heaviest_candidate_of_a_mixture_counts(row: tuple[float, ...], count: int) -> None:
    network = fresh()
    weights = torch.tensor([[0.4, 0.3, 0.2, 0.1]] * 12, dtype=torch.float64)
    weights[[1, 4]] = torch.tensor(row, dtype=torch.float64)
    run(network, weighted(SPACE.space, weights))
    assert used_norms(unified(network)) == [count]


def test_more_zeros_than_an_architecture_has_use_the_last_norm() -> None:
    network = fresh()
    run(network, single(SPACE, [ZERO] * 6 + [K3, *[ZERO] * 5]))
    assert [used_norms(unified(network, layer)) for layer in (0, 1)] == [[4], [4]]


def test_several_candidates_without_weights_are_no_zero() -> None:
    network = fresh()
    forward = {**single(SPACE, FULL * 2), "layer_00_5": Selection((K7, ZERO))}
    run(network, forward)
    assert used_norms(unified(network)) == [0]


def test_a_chosen_zero_has_a_weight_that_gets_a_gradient() -> None:
    """As GDAS does it: one candidate, whose weight is 1 and carries the gradient of all."""
    network = fresh()
    weight = torch.ones(1, dtype=torch.float64, requires_grad=True)
    run(network, {**single(SPACE, SPARSE * 2), "layer_00_5": Selection((ZERO,), weight)})
    assert weight.grad is not None
    assert used_norms(unified(network)) == [4]


def test_sub_blocks_behind_the_last_that_runs_are_not_touched() -> None:
    network = fresh()
    run(network, single(SPACE, [K5, ZERO, K3, ZERO, ZERO, ZERO, *FULL]))
    block = unified(network)
    touched = [place.expand[0].weight.grad is not None for place in block.places]
    assert touched == [int(place.expand[1].num_batches_tracked) > 0 for place in block.places]
    assert touched == [True, True, True, False, False, False]
    assert block.project.weight.grad is not None
    assert block.project.weight.grad[:, 12:].abs().max() == 0


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("indices", [SPARSE, FULL, [K3, K3, K3, K7, ZERO, ZERO], [ZERO, K5, K7, ZERO, K3, ZERO]])
def test_what_is_left_out_changes_nothing(indices: list[int], training: bool) -> None:
    """A weight of 1 makes every sub-block run: with it, dead shares are expanded, zeroed and projected."""
    network, one = fresh(), torch.ones(1, dtype=torch.float64)
    sparse = single(SPACE, indices * 2)
    everything = {label: replace(selection, weights=one) for label, selection in sparse.items()}
    outputs = []
    for forward in (sparse, everything):
        with choosing(Selected(forward)), torch.no_grad():
            outputs.append(network.train(training)(images(SPACE)))
    assert far(*outputs) <= 1e-12


class Silent:
    """Runs one candidate of each choice, and does not tell beforehand which."""

    def __init__(self, arch: Sequence[int]) -> None:
        self.indices = dict(zip([d.label for d in SPACE.space.decisions], arch, strict=True))

    def on_forward_layer_choice(self, choice: LayerChoice, *args: Any, **kwargs: Any) -> Any:
        return choice[self.indices[choice.label or ""]](*args, **kwargs)

    def on_forward_input_choice(self, choice: Any, tensors: Any) -> Any:
        raise AssertionError

    def on_forward_repeat(self, choice: Any, x: Any) -> Any:
        raise AssertionError


@torch.no_grad()
@pytest.mark.parametrize("indices", [SPARSE, FULL, [K3, ZERO, K3, K7, ZERO, ZERO]])
def test_a_chooser_that_tells_nothing_beforehand_runs_the_same_network(indices: list[int]) -> None:
    with choosing(Silent(indices * 2)):
        found = fresh()(images(SPACE))
    assert far(found, trained(SPACE)(images(SPACE), single(SPACE, indices * 2))) <= 1e-12


@torch.no_grad()
def test_a_mutator_runs_the_supernet() -> None:
    supernet = trained(SPACE)
    mutator = RandomMutator(supernet, seed=3)
    for _ in range(3):
        mutator.reset()
        arch = [int(mask.float().argmax()) for mask in (mutator.applied or {}).values()]
        assert far(supernet(images(SPACE)), supernet(images(SPACE), single(SPACE, arch))) <= 1e-12
