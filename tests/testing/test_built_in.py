"""The built-in strategies keep what is asked of users' own."""

from __future__ import annotations

from nascli.search_strategy.differentiable import Differentiable
from nascli.search_strategy.evolution import Evolution
from nascli.search_strategy.generator import Generator
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


class TestDifferentiable(SearchStrategyContract):
    make = Differentiable


class TestDifferentiableOfSeveralAnswers(SearchStrategyContract):
    def make(self) -> Differentiable:
        return Differentiable(Differentiable.Config(answers=3))


class TestGenerator(SearchStrategyContract):
    def make(self) -> Generator:
        return Generator(Generator.Config(steps=3, batch=4, width=8, layers=1, targets=4, priors=2))
