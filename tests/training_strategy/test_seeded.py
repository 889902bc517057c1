from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from nascli.testing.randomness import no_global_randomness
from nascli.training_strategy.seeded import hand_over, initial_rng, seeded


def drawn(rng: np.random.Generator) -> tuple[float, ...]:
    """One number from each global generator."""
    with seeded(rng):
        return random.random(), np.random.random(), torch.rand(()).item()


def test_the_global_generators_follow_from_the_generator_that_is_given() -> None:
    one, same, other = (drawn(np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert one == same
    assert all(a != b for a, b in zip(one, other, strict=True))


def test_two_blocks_of_one_generator_differ() -> None:
    rng = np.random.default_rng(0)
    assert all(a != b for a, b in zip(drawn(rng), drawn(rng), strict=True))


def test_afterwards_they_stand_where_they_stood() -> None:
    with no_global_randomness():
        drawn(np.random.default_rng(0))


def test_an_error_leaves_them_alone_too() -> None:
    class Fault(Exception):
        pass

    with no_global_randomness(), pytest.raises(Fault), seeded(np.random.default_rng(0)):
        raise Fault


def test_the_initial_generator_follows_from_torchs_seed_alone() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        first = initial_rng().integers(2**60)
        torch.rand(7)
        with no_global_randomness():
            second = initial_rng().integers(2**60)
        torch.manual_seed(4)
        third = initial_rng().integers(2**60)
    assert first == second != third


def test_only_a_numpy_generator_is_handed_over() -> None:
    class Owner:
        def __init__(self, rng: object) -> None:
            self.rng = rng

    rng, other = np.random.default_rng(0), torch.Generator()
    own, foreign = Owner(np.random.default_rng(1)), Owner(other)
    hand_over(own, rng)
    hand_over(foreign, rng)
    hand_over(object(), rng)
    assert own.rng is rng
    assert foreign.rng is other
