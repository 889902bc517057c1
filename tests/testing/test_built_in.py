"""The built-in strategies keep what is asked of users' own."""

from __future__ import annotations

import pytest

from nascli.search_strategy.differentiable import Differentiable
from nascli.search_strategy.evolution import Evolution
from nascli.search_strategy.generator import Generator
from nascli.search_strategy.local_search import LocalSearch
from nascli.search_strategy.optuna import Optuna
from nascli.search_strategy.pareto import Pareto
from nascli.search_strategy.random import Random
from nascli.search_strategy.regularized_evolution import RegularizedEvolution
from nascli.testing import SearchStrategyContract, TrainingStrategyContract
from nascli.training_strategy.uniform import Uniform


class TestUniform(TrainingStrategyContract):
    make = Uniform


class TestRandom(SearchStrategyContract):
    make = Random


class TestEvolution(SearchStrategyContract):
    def make(self) -> Evolution:
        return Evolution(Evolution.Config(population=4, parents=2))


class TestEvolutionWithAPredictor(SearchStrategyContract):
    def make(self) -> Evolution:
        return Evolution(Evolution.Config(population=4, parents=2, predictor="ridge", oversample=2))


class TestRegularizedEvolution(SearchStrategyContract):
    def make(self) -> RegularizedEvolution:
        return RegularizedEvolution(RegularizedEvolution.Config(population=4, sample=2))


class TestLocalSearch(SearchStrategyContract):
    make = LocalSearch


class TestPareto(SearchStrategyContract):
    make = Pareto


class TestOptuna(SearchStrategyContract):
    def make(self) -> Optuna:
        pytest.importorskip("optuna")
        return Optuna(Optuna.Config(startup=4))


class TestDifferentiable(SearchStrategyContract):
    make = Differentiable


class TestDifferentiableOfSeveralAnswers(SearchStrategyContract):
    def make(self) -> Differentiable:
        return Differentiable(Differentiable.Config(answers=3))


class TestGenerator(SearchStrategyContract):
    def make(self) -> Generator:
        return Generator(Generator.Config(steps=3, batch=4, width=8, layers=1, targets=4, priors=2))
