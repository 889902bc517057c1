"""What the random mutator draws."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from torch import nn

from nascli.supernet.mutables import InputChoice, LayerChoice, Repeat
from nascli.testing.randomness import no_global_randomness
from nascli.training_strategy.mutator import RandomMutator
from tests.cost.helpers import chi_square

from .networks import ONE, Net, Scale

UNIFORM = 5.0  # standard deviations


class Choices(nn.Module):
    """One choice of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = LayerChoice([Scale(2.0), Scale(3.0), Scale(5.0)], label="layer")
        self.any = InputChoice(3, label="any")
        self.two = InputChoice(4, n_chosen=2, label="two")
        self.depth = Repeat(lambda i: Scale(1.0), (0, 3), label="depth")


@pytest.mark.parametrize(("key", "states"), [("layer", 3), ("any", 7), ("two", 6), ("depth", 4)])
def test_the_random_mutator_draws_every_index_of_a_decision_alike(key: str, states: int) -> None:
    mutator = RandomMutator(Choices(), seed=1)
    drawn = [tuple(mutator.sample_search()[key].tolist()) for _ in range(150 * states)]
    among = sorted(Counter(drawn))
    assert len(among) == states
    numbers = np.array([[among.index(values)] for values in drawn])
    assert abs(chi_square(numbers, np.arange(states)[:, None])) < UNIFORM


def test_the_random_mutator_is_a_function_of_its_seed() -> None:
    one, same, other = (RandomMutator(Net(), seed=seed) for seed in (0, 0, 1))
    runs = [[mutator.sample_search()["a"].tolist() for _ in range(30)] for mutator in (one, same, other)]
    assert runs[0] == runs[1] != runs[2]


def test_the_random_mutator_leaves_the_global_generators_alone() -> None:
    with no_global_randomness():
        mutator = RandomMutator(Net())
        mutator.reset()
        mutator.export()


def test_the_random_mutator_always_gives_a_network_that_runs() -> None:
    model = Net()
    mutator = RandomMutator(model, seed=0)
    outputs = set()
    for _ in range(400):
        mutator.reset()
        outputs.add(model(ONE)[0, 0].item())
    assert len(outputs) == (1 + 3 + 3) * 3
