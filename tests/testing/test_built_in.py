"""The built-in strategies keep what is asked of users' own."""

from __future__ import annotations

from nascli.search_strategy.evolution import Evolution
from nascli.search_strategy.random import Random
from nascli.testing import SearchStrategyContract, TrainingStrategyContract
from nascli.training_strategy.uniform import Uniform


class TestUniform(TrainingStrategyContract):
    make = Uniform


class TestRandom(SearchStrategyContract):
    make = Random


class TestEvolution(SearchStrategyContract):
    def make(self) -> Evolution:
        return Evolution(Evolution.Config(population=4, parents=2))
