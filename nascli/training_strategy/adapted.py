"""Classes that are no training strategies, but stand for one: mutators and samplers."""

from __future__ import annotations

import inspect
import sys
from functools import cache
from typing import Any

from pydantic import create_model

from nascli.config import Config
from nascli.errors import ComponentError
from nascli.training_strategy.base import TrainingStrategy
from nascli.training_strategy.sampler import BaseSampler, SamplerStrategy

MUTATORS = "nascli.training_strategy.mutator"


def adapted(found: Any) -> Any:
    """The strategy that a mutator or a sampler drives; anything else as it is. Imports no torch for the latter.

    Raises:
        ComponentError: the class is abstract, or a mutator without `sample_search`.
    """
    if not inspect.isclass(found):
        return found
    if issubclass(found, BaseSampler):
        return _strategy(SamplerStrategy, "sampler_class", found, 3)
    mutators = sys.modules.get(MUTATORS)  # a class cannot inherit from a module that nobody has imported
    if mutators is None or not issubclass(found, mutators.BaseMutator):
        return found
    if not issubclass(found, mutators.Mutator):
        raise ComponentError(f"'{found.__name__}' samples nothing", why=f"to train, it inherits {MUTATORS}.Mutator")
    from nascli.training_strategy.mutating import MutatorStrategy

    mutator: Any = found
    return _strategy(MutatorStrategy, "mutator_class", mutator, 1)


@cache
def _strategy(base: type[TrainingStrategy], attribute: str, found: Any, given: int) -> type[TrainingStrategy]:
    """A subclass of `base` whose options are the arguments of `found` but for the first `given`, which nascli gives."""
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise ComponentError(f"'{found.__name__}' is not complete: it lacks {', '.join(missing)}")
    members = {attribute: found, "Config": _options(base.Config, found, given)}
    return type(found.__name__, (base,), {**members, "__doc__": found.__doc__, "__module__": found.__module__})


def _options(base: type[Config], found: Any, given: int) -> type[Config]:
    arguments = list(inspect.signature(found).parameters.values())[given:]
    named = [a for a in arguments if a.kind in (a.POSITIONAL_OR_KEYWORD, a.KEYWORD_ONLY)]
    fields: dict[str, Any] = {a.name: (Any, ... if a.default is a.empty else a.default) for a in named}
    return create_model("Config", __base__=base, **fields)
