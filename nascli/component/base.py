"""The kinds of components, and the class that all components inherit."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import Any

from nascli.config import Config as BaseConfig

KINDS: Mapping[str, str] = {
    "search_space": "nascli.search_space.base:SearchSpace",
    "training_strategy": "nascli.training_strategy.base:TrainingStrategy",
    "search_strategy": "nascli.search_strategy.base:SearchStrategy",
    "training_agent": "nascli.training_agent.base:TrainingAgent",
    "criterion": "nascli.criterion.base:Criterion",
    "dataflow": "nascli.dataflow.base:Dataflow",
    "evaluator": "nascli.training_agent.base:Evaluator",
    "executor": "nascli.training_agent.executor:Executor",
    "meter": "nascli.cost.meter:Meter",
}


class Component(ABC):
    """One swappable part of the pipeline.

    Subclasses nest a `Config` and repeat the annotation `config: Config`, so that type checkers know it.
    """

    class Config(BaseConfig):
        """The options of the component."""

    config: Config
    file_digest: str | None = None
    """sha256 of the file or folder that the class was named by; None for installed ones."""

    def __init__(self, config: BaseConfig | None = None) -> None:
        self.config = type(self).Config() if config is None else self._checked(config)

    @classmethod
    def _checked(cls, config: BaseConfig) -> Any:
        if not isinstance(config, cls.Config):
            raise TypeError(f"{cls.__name__} takes a {cls.__name__}.Config, not {type(config).__qualname__}")
        return config

    @classmethod
    def adapt(cls, found: Any) -> Any:
        """The component that stands for what a reference names; kinds that accept other classes override it."""
        return found
