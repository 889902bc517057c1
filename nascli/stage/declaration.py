"""Declaring stages: a typed function and its signature.

The signature is the contract: `config`, `run`, one parameter per input artifact (`X | None` when optional),
and the artifact that it returns.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from nascli.artifacts.base import Artifact
from nascli.component import Kind
from nascli.config import Config

F = TypeVar("F", bound=Callable[..., Artifact[Any]])

ORDER = ("scaffold", "build-lut", "train-supernet", "search", "retrain", "evaluate")


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

    @property
    def section(self) -> str:
        """The stage's key in the YAML."""
        return self.name.replace("-", "_")

    @property
    def components(self) -> dict[str, str]:
        """Config field → component kind, for the fields that hold one component."""
        marks = {name: field.metadata for name, field in self.config.model_fields.items()}
        return {name: mark.name for name, found in marks.items() for mark in found if isinstance(mark, Kind)}


def stage(name: str, *, examples: Sequence[str]) -> Callable[[F], F]:
    """Declare a stage; `stage_of` finds the declaration."""

    def declare(function: F) -> F:
        hints = get_type_hints(function)
        config, output = hints.pop("config"), hints.pop("return")
        hints.pop("run", None)
        inputs = tuple(_input(role, hint) for role, hint in hints.items())
        function.__dict__["stage"] = Stage(name, function, config, inputs, output, tuple(examples))
        return function

    return declare


def _input(role: str, hint: Any) -> Input:
    if get_origin(hint) in (Union, types.UnionType):
        return Input(role, next(arg for arg in get_args(hint) if arg is not type(None)), True)
    return Input(role, hint, False)


def stage_of(function: Callable[..., Any]) -> Stage:
    """The declaration of a stage function."""
    found: Stage = function.__dict__["stage"]
    return found


@dataclass(frozen=True)
class Plugin:
    """An installed stage: its declaration, or the reason why it cannot be loaded."""

    name: str
    point: EntryPoint
    stage: Stage | None
    error: str = ""


def stage_names() -> list[str]:
    """The names of all installed stages in the order of the pipeline; nothing is imported."""
    return sorted({point.name for point in entry_points(group="nascli.stages")}, key=lambda name: (_rank(name), name))


def installed_stages(names: Collection[str] | None = None) -> list[Plugin]:
    """The installed stages, or the named ones of them; one that fails to import is kept with its reason."""
    points = {point.name: point for point in entry_points(group="nascli.stages")}
    return [_plugin(points[name]) for name in stage_names() if names is None or name in names]


def _rank(name: str) -> int:
    return ORDER.index(name) if name in ORDER else len(ORDER)


def _plugin(point: EntryPoint) -> Plugin:
    try:
        return Plugin(point.name, point, stage_of(point.load()))
    except Exception as error:
        return Plugin(point.name, point, None, f"{type(error).__name__}: {error}")
