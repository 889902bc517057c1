from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nascli.search_space.tiny import Tiny
from nascli.space import Selection
from nascli.supernet import ChainSupernet, Superlayer

torch.set_num_threads(1)

NO_DEADLINE = settings(deadline=None)
FACTORS = (2.0, -3.0, 5.0, 0.5)
X = torch.rand(2, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
SUBSETS = st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True).map(tuple)


class Scaled(nn.Module):
    """factor · x, with a trainable factor; counts its calls."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor, self.calls = nn.Parameter(torch.tensor(factor, dtype=torch.float64)), 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.factor * x


def layer() -> Superlayer:
    return Superlayer([Scaled(factor) for factor in FACTORS])


def convolutions(seed: int = 0) -> Superlayer:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Superlayer([nn.Conv2d(3, 2, k, padding=k // 2) for k in (1, 3, 5)]).double()


@pytest.mark.parametrize("i", range(4))
def test_one_active_candidate_gives_its_output(i: int) -> None:
    assert torch.equal(layer()(X, Selection((i,))), FACTORS[i] * X)


@NO_DEADLINE
@given(SUBSETS)
def test_several_without_weights_are_summed(active: tuple[int, ...]) -> None:
    torch.testing.assert_close(layer()(X, Selection(active)), sum(FACTORS[i] for i in active) * X)


@NO_DEADLINE
@given(SUBSETS, st.lists(st.floats(-2, 2), min_size=4, max_size=4))
def test_weights_belong_to_the_active_candidates_in_their_order(active: tuple[int, ...], values: list[float]) -> None:
    weights = torch.tensor(values[: len(active)], dtype=torch.float64)
    expected = sum(w * FACTORS[i] for w, i in zip(values, active, strict=False)) * X
    torch.testing.assert_close(layer()(X, Selection(active, weights)), expected)


@NO_DEADLINE
@given(SUBSETS)
def test_only_the_active_candidates_run(active: tuple[int, ...]) -> None:
    superlayer = layer()
    superlayer(X, Selection(active))
    assert [c.calls for c in superlayer.candidates] == [int(i in active) for i in range(4)]


@NO_DEADLINE
@given(SUBSETS)
def test_candidates_that_did_not_run_have_no_gradient(active: tuple[int, ...]) -> None:
    superlayer = layer()
    superlayer(X, Selection(active)).sum().backward()
    assert [c.factor.grad is not None for c in superlayer.candidates] == [i in active for i in range(4)]


def test_a_mixture_is_the_weighted_sum_written_by_hand() -> None:
    superlayer, weights = convolutions(), torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    a, b, c = superlayer.candidates
    expected = 0.2 * a(X) + 0.5 * b(X) + 0.3 * c(X)
    torch.testing.assert_close(superlayer(X, Selection((0, 1, 2), weights)), expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("active", [(0, 1, 2), (2, 0), (1,)])
def test_gradients_of_a_mixture_are_right_for_logits_and_input(active: tuple[int, ...]) -> None:
    superlayer = convolutions()
    logits = torch.linspace(-1, 1, len(active), dtype=torch.float64, requires_grad=True)
    x = X.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda a, x: superlayer(x, Selection(active, a.softmax(0))), (logits, x))


def test_the_gradient_of_a_weight_is_what_its_candidate_adds() -> None:
    weights = torch.ones(3, dtype=torch.float64, requires_grad=True)
    layer()(X, Selection((3, 0, 1), weights)).sum().backward()
    assert weights.grad is not None
    torch.testing.assert_close(weights.grad, X.sum() * torch.tensor([0.5, 2.0, -3.0], dtype=torch.float64))


def test_a_single_candidate_with_a_straight_through_weight_passes_the_gradient_on() -> None:
    soft = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    straight = (1 - soft).detach() + soft
    output = layer()(X, Selection((1,), straight[None]))
    output.sum().backward()
    assert torch.equal(output.detach(), FACTORS[1] * X)
    assert soft.grad == FACTORS[1] * X.sum()


def test_a_chain_runs_first_layers_in_order_and_last() -> None:
    layers = {"a": layer(), "b": layer()}
    supernet = ChainSupernet(Scaled(7.0), layers, nn.Flatten())
    output = supernet(X, {"b": Selection((0, 1)), "a": Selection((2,))})
    torch.testing.assert_close(output, (7 * 5 * (2 - 3) * X).flatten(1))


def test_a_label_without_selection_is_an_error() -> None:
    supernet = ChainSupernet(nn.Identity(), {"a": layer(), "b": layer()}, nn.Identity())
    with pytest.raises(KeyError, match="b"):
        supernet(X, {"a": Selection((0,))})


@settings(max_examples=15, deadline=None)
@given(st.tuples(*[st.integers(0, 4)] * 6))
def test_a_path_gives_gradients_to_itself_and_the_fixed_parts_alone(arch: tuple[int, ...]) -> None:
    space = Tiny(Tiny.Config(width=4))
    supernet = space.supernet()
    supernet(torch.rand(2, 1, 8, 8), space.space.forward(arch)).sum().backward()
    touched = {name for name, p in supernet.named_parameters() if p.grad is not None}
    path = tuple(f"layers.layer_{i:02d}.candidates.{choice}." for i, choice in enumerate(arch))
    expected = {name for name, _ in supernet.named_parameters() if name.startswith(("first.", "last.", *path))}
    assert touched == expected
