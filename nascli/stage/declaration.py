"""Declaring stages: a typed function and its signature.

The signature is the contract: `config`, `run`, one parameter per input artifact (`X | None` when optional),
and the artifact that it returns.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic.fields import FieldInfo

from nascli.artifacts.base import Artifact
from nascli.component import Kind
from nascli.config import Config

F = TypeVar("F", bound=Callable[..., Artifact[Any]])


@dataclass(frozen=True)
class Input:
    """One input artifact of a stage."""

    role: str
    artifact: type[Artifact[Any]]
    optional: bool


@dataclass(frozen=True)
class Stage:
    """A stage, as its function's signature tells it."""

    name: str
    function: Callable[..., Artifact[Any]]
    config: type[Config]
    inputs: tuple[Input, ...]
    output: type[Artifact[Any]]
    examples: tuple[str, ...]
    sides: tuple[str, ...] = ()

    @property
    def section(self) -> str:
        """The stage's key in the YAML."""
        return self.name.replace("-", "_")

    @property
    def components(self) -> dict[str, str]:
        """Config field → component kind, for the fields that hold one component, or perhaps one."""
        marks = {name: _marks(field) for name, field in self.config.model_fields.items()}
        return {name: mark.name for name, found in marks.items() for mark in found if isinstance(mark, Kind)}


def _marks(field: FieldInfo) -> list[Any]:
    """What a field is annotated with; for `X | None`, what X is."""
    is_union = get_origin(field.annotation) in (Union, types.UnionType)
    options = get_args(field.annotation) if is_union else ()
    return [*field.metadata, *(mark for option in options for mark in get_args(option)[1:])]


def stage(name: str, *, examples: Sequence[str], sides: Sequence[str] = ()) -> Callable[[F], F]:
    """Declare a stage; `stage_of` finds the declaration.

    Args:
        examples: command lines for its help.
        sides: suffixes of what it writes beside the result through `run.save`, such as ".history.h5".
    """

    def declare(function: F) -> F:
        hints = get_type_hints(function)
        missing = sorted({"config", "return"} - hints.keys())
        if missing:
            raise TypeError(f"the stage '{name}' does not annotate its {' and '.join(missing)}")
        config, output = hints.pop("config"), hints.pop("return")
        hints.pop("run", None)
        inputs = tuple(_input(role, hint) for role, hint in hints.items())
        function.__dict__["stage"] = Stage(name, function, config, inputs, output, tuple(examples), tuple(sides))
        return function

    return declare


def _input(role: str, hint: Any) -> Input:
    if get_origin(hint) in (Union, types.UnionType):
        return Input(role, next(arg for arg in get_args(hint) if arg is not type(None)), True)
    return Input(role, hint, False)


def stage_of(function: Callable[..., Any]) -> Stage:
    """The declaration of a stage function; raises TypeError where there is none."""
    found = getattr(function, "stage", None)
    if not isinstance(found, Stage):
        raise TypeError(f"{function!r:.80} is not a stage: a function under @stage(name, examples=[…])")
    return found
