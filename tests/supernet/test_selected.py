from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nascli.errors import UsageError
from nascli.space import Selection
from nascli.supernet.mutables import InputChoice, LayerChoice, Reduction, Repeat
from nascli.supernet.selected import Selected, reduce

from .helpers import FACTORS, Scaled, X, calls, layer, run

NO_DEADLINE = settings(deadline=None)
SUBSETS = st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True).map(tuple)
TENSORS = [X, 2 * X, X.square(), X.exp()]


def convolutions(seed: int = 0) -> LayerChoice:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LayerChoice([nn.Conv2d(3, 2, k, padding=k // 2) for k in (1, 3, 5)]).double()


def vector(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


# --- layers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("i", range(4))
def test_one_active_candidate_gives_its_output(i: int) -> None:
    assert torch.equal(run(layer(), Selection((i,)), X), FACTORS[i] * X)


@NO_DEADLINE
@given(SUBSETS)
def test_several_without_weights_are_summed(active: tuple[int, ...]) -> None:
    torch.testing.assert_close(run(layer(), Selection(active), X), sum(FACTORS[i] for i in active) * X)


@NO_DEADLINE
@given(SUBSETS, st.lists(st.floats(-2, 2), min_size=4, max_size=4))
def test_weights_belong_to_the_active_candidates_in_their_order(active: tuple[int, ...], values: list[float]) -> None:
    expected = sum(w * FACTORS[i] for w, i in zip(values, active, strict=False)) * X
    found = run(layer(), Selection(active, vector(*values[: len(active)])), X)
    torch.testing.assert_close(found, expected)


@NO_DEADLINE
@given(SUBSETS)
def test_only_the_active_candidates_run(active: tuple[int, ...]) -> None:
    choice = layer()
    run(choice, Selection(active), X)
    assert calls(choice) == [int(i in active) for i in range(4)]


@NO_DEADLINE
@given(SUBSETS)
def test_candidates_that_did_not_run_have_no_gradient(active: tuple[int, ...]) -> None:
    choice = layer()
    run(choice, Selection(active), X).sum().backward()
    assert [p.grad is not None for p in choice.parameters()] == [i in active for i in range(4)]


def test_a_mixture_is_the_weighted_sum_written_by_hand() -> None:
    choice = convolutions()
    expected = 0.2 * choice[0](X) + 0.5 * choice[1](X) + 0.3 * choice[2](X)
    found = run(choice, Selection((0, 1, 2), vector(0.2, 0.5, 0.3)), X)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("active", [(0, 1, 2), (2, 0), (1,)])
def test_gradients_of_a_mixture_are_right_for_logits_and_input(active: tuple[int, ...]) -> None:
    choice = convolutions()
    logits = torch.linspace(-1, 1, len(active), dtype=torch.float64, requires_grad=True)
    x = X.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda a, x: run(choice, Selection(active, a.softmax(0)), x), (logits, x))


def test_the_gradient_of_a_weight_is_what_its_candidate_adds() -> None:
    weights = torch.ones(3, dtype=torch.float64, requires_grad=True)
    run(layer(), Selection((3, 0, 1), weights), X).sum().backward()
    assert weights.grad is not None
    torch.testing.assert_close(weights.grad, X.sum() * vector(0.5, 2.0, -3.0))


def test_a_single_candidate_with_a_straight_through_weight_passes_the_gradient_on() -> None:
    soft = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    straight = (1 - soft).detach() + soft
    output = run(layer(), Selection((1,), straight[None]), X)
    output.sum().backward()
    assert torch.equal(output.detach(), FACTORS[1] * X)
    assert soft.grad == FACTORS[1] * X.sum()


def test_the_reduction_of_a_layer_choice_is_kept() -> None:
    found = run(layer(reduction="mean"), Selection((0, 2)), X)
    torch.testing.assert_close(found, 3.5 * X)


@pytest.mark.parametrize("reduction", ["sum", "mean", "concat", "none"])
def test_a_layer_choice_that_does_not_exist_gives_none_and_runs_nothing(reduction: Reduction) -> None:
    choice = layer(reduction=reduction)
    assert run(choice, Selection(()), X) is None
    assert calls(choice) == [0] * 4


# --- inputs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [
        ("sum", X + X.square()),
        ("mean", (X + X.square()) / 2),
        ("concat", torch.cat([X, X.square()], dim=1)),
        ("none", [X, X.square()]),
    ],
)
def test_an_input_choice_reduces_the_chosen_tensors(reduction: Reduction, expected: Any) -> None:
    found = run(InputChoice(4, reduction=reduction), Selection((0, 2)), TENSORS)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_an_input_choice_weights_the_chosen_tensors() -> None:
    found = run(InputChoice(4), Selection((1, 3), vector(0.25, -2)), TENSORS)
    torch.testing.assert_close(found, 0.5 * X - 2 * X.exp())


def test_an_input_choice_that_does_not_exist_gives_none() -> None:
    assert run(InputChoice(2, reduction="none"), Selection(()), [None, None]) is None


def test_tensors_that_are_not_chosen_may_be_missing() -> None:
    assert run(InputChoice(2), Selection((1,)), [None, X]) is X


def test_a_chosen_tensor_that_is_missing_is_an_error_with_its_name() -> None:
    choice = InputChoice(choose_from=["left", "right"], label="join")
    with pytest.raises(UsageError, match="'join' takes 'right', which this architecture does not have"):
        run(choice, Selection((0, 1)), [X, None])


# --- repeats ---------------------------------------------------------------------------------------------------------


def repeat(least: int = 0) -> Repeat:
    return Repeat([Scaled(factor) for factor in FACTORS], (least, 4))


@pytest.mark.parametrize(("least", "index", "expected"), [(0, 0, 1), (0, 2, -6), (1, 0, 2), (1, 3, -15), (4, 0, -15)])
def test_a_repeat_runs_the_first_blocks_one_after_another(least: int, index: int, expected: float) -> None:
    choice = repeat(least)
    torch.testing.assert_close(run(choice, Selection((index,)), X), expected * X)
    assert calls(choice) == [int(i < least + index) for i in range(4)]


@NO_DEADLINE
@given(st.lists(st.integers(0, 3), min_size=1, max_size=4, unique=True), st.lists(st.floats(-2, 2), min_size=4))
def test_several_depths_are_weighted_and_run_each_block_once(active: list[int], values: list[float]) -> None:
    choice, products = repeat(1), (2, -6, -30, -15)
    found = run(choice, Selection(tuple(active), vector(*values[: len(active)])), X)
    expected = sum(w * products[i] for w, i in zip(values, active, strict=False)) * X
    torch.testing.assert_close(found, expected)
    assert calls(choice) == [int(i <= max(active)) for i in range(4)]


def test_several_depths_without_weights_are_summed() -> None:
    torch.testing.assert_close(run(repeat(), Selection((0, 1, 3)), X), (1 + 2 - 30) * X)


def test_a_repeat_that_does_not_exist_gives_none_and_runs_nothing() -> None:
    choice = repeat()
    assert run(choice, Selection(()), X) is None
    assert calls(choice) == [0] * 4


# --- reductions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [
        ("sum", 2 * X + 3 * X.square()),
        ("mean", X + 1.5 * X.square()),
        ("concat", torch.cat([2 * X, 3 * X.square()], dim=1)),
        ("none", [2 * X, 3 * X.square()]),
    ],
)
def test_outputs_are_weighted_before_they_are_reduced(reduction: Reduction, expected: Any) -> None:
    found = reduce([X, X.square()], vector(2, 3), reduction)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("reduction", ["sum", "mean", "concat"])
def test_one_output_stays_what_it_is(reduction: Reduction) -> None:
    assert reduce([X], None, reduction) is X


def test_one_output_in_a_list_stays_in_it() -> None:
    assert reduce([X], None, "none") == [X]


def test_another_number_of_weights_than_outputs_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        reduce([X], vector(1, 2))


def test_a_label_without_selection_is_an_error() -> None:
    with pytest.raises(UsageError, match="the forward selects nothing for 'b'"):
        Selected({"a": Selection((0,))}).of(layer(label="b"))
