from __future__ import annotations

import pytest
import torch

from nascli.training_agent.tally import Tally
from nascli.training_strategy.base import Losses


def losses(*pairs: tuple[float, float]) -> Losses:
    return Losses([torch.tensor(loss) for loss, _ in pairs], [torch.tensor(accuracy) for _, accuracy in pairs])


def tally() -> Tally:
    made = Tally()
    made.add(3, losses((1.0, 0.5), (2.0, 0.25)))
    made.add(4, losses((6.0, 0.0)))
    return made


def test_means_are_over_all_passes() -> None:
    assert tally().means() == {"loss": 3.0, "accuracy": 0.25}


def test_means_start_anew_after_each_report() -> None:
    made = tally()
    made.means()
    made.add(5, losses((4.0, 1.0)))
    assert made.means() == {"loss": 4.0, "accuracy": 1.0}


def test_without_a_pass_there_are_no_means() -> None:
    assert Tally().means() == {}


def test_finite_losses_are_not_broken() -> None:
    assert tally().broken() is None
    assert Tally().broken() is None


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_the_first_step_that_is_not_finite_is_named(bad: float) -> None:
    made = tally()
    made.add(7, losses((1.0, 0.0), (bad, 0.0)))
    made.add(8, losses((bad, 0.0)))
    assert made.broken() == 7


def test_a_restored_tally_gives_the_same_means() -> None:
    made, again = tally(), Tally()
    again.load_state_dict(made.state_dict())
    for one in (made, again):
        one.add(5, losses((0.5, 1.0)))
    assert again.means() == made.means()
