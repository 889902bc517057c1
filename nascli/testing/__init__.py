"""Conformance kits: what every component of a kind keeps, to inherit in the tests of your own."""

from nascli.testing.search_strategy import SearchStrategyContract
from nascli.testing.training_strategy import TrainingStrategyContract

__all__ = ["SearchStrategyContract", "TrainingStrategyContract"]
