from __future__ import annotations

import pytest
import torch

from nascli.training_agent.tally import Tally
from nascli.training_strategy.base import Losses


def add(made: Tally, step: int, *pairs: tuple[float, float]) -> None:
    """Passes with these losses and accuracies, whose paths are 0, 1, …"""
    losses, accuracies = ([torch.tensor(value) for value in values] for values in zip(*pairs, strict=True))
    made.add(step, 0.1 * step, [str(i) for i in range(len(pairs))], Losses(losses, accuracies))


def tally() -> Tally:
    made = Tally()
    add(made, 3, (1.0, 0.5), (2.0, 0.25))
    add(made, 4, (6.0, 0.0))
    return made


def test_means_are_over_all_passes() -> None:
    assert tally().means() == {"loss": 3.0, "accuracy": 0.25}


def test_means_start_anew_after_each_report() -> None:
    made = tally()
    made.means()
    add(made, 5, (4.0, 1.0))
    assert made.means() == {"loss": 4.0, "accuracy": 1.0}


def test_without_a_pass_there_are_no_means() -> None:
    assert Tally().means() == {}


def test_finite_losses_are_not_broken() -> None:
    assert tally().broken() is None
    assert Tally().broken() is None


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_the_first_pass_that_is_not_finite_is_named_with_its_learning_rate(bad: float) -> None:
    made = tally()
    add(made, 7, (1.0, 0.0), (bad, 0.0))
    add(made, 8, (bad, 0.0))
    assert made.broken() == (7, pytest.approx(0.7), "1")


def test_the_last_pass_is_known_after_a_report() -> None:
    made = tally()
    made.means()
    assert made.last == (4, pytest.approx(0.4), "0")


def test_a_restored_tally_names_the_same_pass() -> None:
    made, again = tally(), Tally()
    add(made, 7, (float("nan"), 0.0))
    again.load_state_dict(made.state_dict())
    assert again.broken() == made.broken() == (7, pytest.approx(0.7), "0")


def test_a_restored_tally_gives_the_same_means() -> None:
    made, again = tally(), Tally()
    again.load_state_dict(made.state_dict())
    for one in (made, again):
        add(one, 5, (0.5, 1.0))
    assert again.means() == made.means()
