"""Conformance kits: what every component of a kind keeps, to inherit in the tests of your own."""

from nascli.testing.block import BlockContract
from nascli.testing.criterion import CriterionContract
from nascli.testing.dataflow import DataflowContract
from nascli.testing.evaluator import EvaluatorContract
from nascli.testing.meter import MeterContract
from nascli.testing.search_space import SearchSpaceContract
from nascli.testing.search_strategy import SearchStrategyContract
from nascli.testing.training_agent import TrainingAgentContract
from nascli.testing.training_strategy import TrainingStrategyContract

__all__ = [
    "BlockContract",
    "CriterionContract",
    "DataflowContract",
    "EvaluatorContract",
    "MeterContract",
    "SearchSpaceContract",
    "SearchStrategyContract",
    "TrainingAgentContract",
    "TrainingStrategyContract",
]
