from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nascli.errors import UsageError
from nascli.space import Decision, Space, Unordered
from nascli.training_strategy.facade import STATES, SupernetFacade

SPACE = Space(
    "mixed",
    (
        Decision("a", ("x", "y")),
        Decision("b", ("p", "q", "r"), 2),
        Decision("c", ("x", "y", "z"), active_if=(("a", (1,)),)),
    ),
    (1, 8, 8),
    10,
)
VALUES = torch.tensor([[1.0, 2.0, 9.0], [0.5, 1.5, 2.5], [3.0, 4.0, 5.0]])


def facade(state: str | None = None, values: Any = None, **options: Any) -> SupernetFacade:
    made = SupernetFacade(SPACE)
    if state is not None:
        made.set_forward_state(state, **options)
    if values is not None:
        made.set_arch_param(values)
    return made


def weights(made: SupernetFacade, seed: int = 0) -> dict[str, torch.Tensor]:
    return {label: selection.weights for label, selection in made.forward(seed).items()}


def test_there_are_four_forward_states() -> None:
    assert set(STATES) == {"single", "softmax", "gumbel_softmax", "sum"}


def test_an_unknown_state_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="no forward state is called 'gumbel'") as caught:
        facade("gumbel")
    assert all(state in caught.value.hint for state in STATES)


@pytest.mark.parametrize("tau", [0.0, -1.0, float("nan")])
def test_a_temperature_is_positive(tau: float) -> None:
    with pytest.raises(UsageError, match="positive"):
        facade("gumbel_softmax", tau=tau)


@pytest.mark.parametrize(
    "architecture", [[1, 2, 2], (1, 2, 2), np.array([1, 2, 2]), torch.tensor([1, 2, 2]), torch.tensor([[1], [2], [2]])]
)
def test_single_runs_the_architecture_that_was_set(architecture: Any) -> None:
    made = facade("single")
    made.set_activate_architecture(architecture)
    assert made.forward(0) == SPACE.forward([1, 2, 2])


def test_an_index_of_what_does_not_exist_changes_nothing() -> None:
    made = facade("single")
    made.set_activate_architecture([0, 1, 2])
    assert made.forward(0) == SPACE.forward([0, 1, 0])


def test_vectors_that_no_architecture_has_become_the_one_they_stand_for() -> None:
    space = Space(
        "sorted",
        tuple(Decision(label, ("k3", "zero")) for label in "ab"),
        (1, 8, 8),
        10,
        unordered=(Unordered(("a", "b"), 1, 1),),
    )
    made = SupernetFacade(space)
    made.set_forward_state("single")
    made.set_activate_architecture([1, 1])
    assert made.forward(0) == space.forward([0, 1])


@pytest.mark.parametrize(
    ("architecture", "said"),
    [([0, 3, 0], "decision 'b' takes 0 to 2, found 3"), ([0, 0], "3 numbers"), ([0.0, 0.0, 0.0], "whole numbers")],
)
def test_what_is_no_architecture_is_refused(architecture: Any, said: str) -> None:
    with pytest.raises(UsageError, match=f"set_activate_architecture: .*{said}"):
        facade().set_activate_architecture(architecture)


@pytest.mark.parametrize("values", [VALUES, VALUES.numpy(), VALUES.tolist(), VALUES.reshape(3, 1, 3), VALUES.flatten()])
def test_a_sum_weighs_candidates_by_the_parameters_as_they_are(values: Any) -> None:
    found = weights(facade("sum", values))
    assert found["a"].tolist() == [1.0, 2.0]
    assert found["b"].tolist() == [0.5 + 1.5, 0.5 + 2.5, 1.5 + 2.5], "pairs pq, pr, qr"
    assert found["c"].tolist() == [3.0, 4.0, 5.0]


def test_a_softmax_is_over_indices_and_a_candidate_has_the_sum_of_its_subsets() -> None:
    found = weights(facade("softmax", VALUES))
    torch.testing.assert_close(found["a"], VALUES[0, :2].softmax(0))
    pq, pr, qr = VALUES[1].softmax(0)
    torch.testing.assert_close(found["b"], torch.stack([pq + pr, pq + qr, pr + qr]))


def test_gumbel_noise_follows_from_the_seed_and_the_temperature() -> None:
    hot, cold = facade("gumbel_softmax", VALUES, tau=10.0), facade("gumbel_softmax", VALUES, tau=0.01)
    assert torch.equal(weights(hot)["c"], weights(hot)["c"])
    assert not torch.equal(weights(hot, 0)["c"], weights(hot, 1)["c"])
    assert weights(cold)["c"].max() > 0.99 > 0.6 > weights(hot)["c"].max()
    assert weights(hot)["c"].sum() == pytest.approx(1)


def test_what_is_set_stays_until_something_else_is() -> None:
    made = facade("sum", VALUES)
    first = weights(made)
    made.set_activate_architecture([0, 0, 0])
    assert all(torch.equal(value, first[label]) for label, value in weights(made).items())


@pytest.mark.parametrize("values", [torch.zeros(3, 2), torch.zeros(10), 1.0])
def test_parameters_of_another_number_are_refused(values: Any) -> None:
    with pytest.raises(UsageError, match=r"set_arch_param takes values of shape \(3, 3\)"):
        facade().set_arch_param(values)


def test_parameters_that_are_set_are_not_trained() -> None:
    made = facade("sum")
    made.initialize_arch_param()
    assert made.in_use
    made.set_arch_param(VALUES.clone().requires_grad_())
    assert not made.in_use
    assert not weights(made)["a"].requires_grad


def test_initialised_parameters_are_small_and_have_the_sizes_of_the_decisions() -> None:
    made = facade("softmax", VALUES)
    made.initialize_arch_param(device="cpu")
    assert [tuple(p.shape) for p in made.parameters.values()] == [(2,), (3,), (3,)]
    assert 0 < max(p.abs().max().item() for p in made.parameters.values()) < 0.01
    assert weights(made)["a"].requires_grad
    assert made.in_use


def test_a_single_path_uses_no_parameters() -> None:
    made = facade("single")
    made.initialize_arch_param()
    assert not made.in_use


def test_all_parameters_are_a_matrix_without_the_indices_that_there_are_not() -> None:
    made = facade()
    made.initialize_arch_param()
    matrix, rows = made.get_arch_param()
    assert matrix.shape == (3, 3)
    assert (matrix == -torch.inf).nonzero().tolist() == [[0, 2]]
    assert [tuple(row.shape) for row in rows] == [(2,), (3,), (3,)]
    assert rows[0] is made.parameters["a"]
    made.set_arch_param(matrix)
    assert torch.equal(made.get_arch_param()[0], matrix)


def test_the_best_architecture_has_the_greatest_parameters_that_exist() -> None:
    found = facade(values=VALUES).get_best_arch_param()
    assert found.dtype == np.int64
    assert found.tolist() == [1, 2, 2]


@pytest.mark.parametrize("call", ["get_arch_param", "get_best_arch_param"])
def test_parameters_that_are_not_there_cannot_be_asked_for(call: str) -> None:
    with pytest.raises(UsageError, match="there are no architecture parameters"):
        getattr(facade(), call)()


def test_a_state_brings_back_what_was_set() -> None:
    made, other = facade("gumbel_softmax", VALUES, tau=3.0), facade()
    made.set_activate_architecture([1, 0, 1])
    other.load_state_dict(made.state_dict())
    assert all(torch.equal(value, weights(made)[label]) for label, value in weights(other).items())
    other.set_forward_state("single")
    assert other.forward(0) == SPACE.forward([1, 0, 1])
    empty = facade()
    empty.load_state_dict(facade().state_dict())
    with pytest.raises(UsageError, match="no forward state"):
        empty.forward(0)
