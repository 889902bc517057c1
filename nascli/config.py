"""Configuration: the `Config` base, its kinds of fields, and validation.

A value keeps its origin ("run.yaml:12", "--set"), so that every error can name the place to change.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from nascli.errors import ConfigError

Keys = tuple[str, ...]
PLAIN = {"an instance of Path": "a path", "a valid tuple": "a list", "a valid dictionary": "a mapping"}
C = TypeVar("C", bound="Config")

Accelerator = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["32", "fp32", "bf16", "fp16"]
"""32 and fp32 are one; which of them a setting keeps, `single` says."""


def single(name: str) -> BeforeValidator:
    """Single precision, however it is written (a YAML reads `precision: 32` as a number), becomes `name`."""
    return BeforeValidator(lambda value: name if value in (32, "32", "fp32") else value)


class Config(BaseModel):
    """Settings of a stage or of a component: frozen, strict, no unknown keys."""

    # defer_build: a `--help` page defines many models and validates none
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_default=True, allow_inf_nan=False, defer_build=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _as_path(cls, value: Any, info: ValidationInfo) -> Any:
        """Text where a path is expected: a YAML has no paths, and strict validation takes nothing else."""
        field = cls.model_fields.get(info.field_name or "")
        return value if field is None else _with_paths(field.annotation, value)


def _with_paths(annotation: Any, value: Any) -> Any:
    """`value` with paths in place of text, where the annotation has a path and no text."""
    origin, args = get_origin(annotation), get_args(annotation)
    if isinstance(value, str):
        options = args if origin in (Union, UnionType) else (annotation,)
        return Path(value) if Path in options and str not in options else value
    if isinstance(value, tuple) and origin is tuple and args[1:] == (...,):
        return tuple(_with_paths(args[0], item) for item in value)
    return value


def option(default: Any = ..., **extra: Any) -> Any:
    """A field whose default is written as in the YAML: a component's name, a list of them."""
    return Field(default, **extra)


def shared(default: Any = ..., **extra: Any) -> Any:
    """A field whose key may also stand at the top level of the YAML, for all stages that have it."""
    return Field(default, json_schema_extra={"shared": True}, **extra)


def run_option(default: Any, **extra: Any) -> Any:
    """A shared field that says how to run, not what to compute: it does not enter an artifact's digest."""
    return Field(default, json_schema_extra={"shared": True, "run_option": True}, **extra)


def file_option(default: Any, **extra: Any) -> Any:
    """A path that says where a file lies: a result is current as long as the contents are those it was made with."""
    return Field(default, json_schema_extra={"run_option": True, "contents": True}, **extra)


def is_marked(config: type[BaseModel], name: str, mark: str) -> bool:
    """Whether field `name` carries `mark` ("shared", "run_option" or "contents")."""
    extra = config.model_fields[name].json_schema_extra
    return isinstance(extra, dict) and bool(extra.get(mark))


@dataclass(frozen=True)
class Origin:
    """Where the values of one mapping come from; `base` is the folder that file references start at."""

    places: Mapping[Keys, str] = field(default_factory=dict)
    prefix: Keys = ()
    base: Path = Path()

    def child(self, key: str) -> Origin:
        """The origin of the mapping under `key`."""
        return Origin(self.places, (*self.prefix, key), self.base)

    def of(self, keys: Iterable[object] = ()) -> str:
        """The place of the longest known prefix of `keys`, such as "run.yaml:12"; "" when none is known."""
        path = (*self.prefix, *map(str, keys))
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, "")


def validate(config: type[C], data: Mapping[str, Any], origin: Origin) -> C:
    """Check `data` against `config`.

    Raises:
        ConfigError: all wrong keys and values at once, each with its place.
    """
    try:
        return config.model_validate(tuples(data), context=origin)
    except ValidationError as error:
        lines = [_explain(config, dict(problem), origin) for problem in error.errors()]
        shown = lines[:5] + ([f"and {len(lines) - 5} more"] if len(lines) > 5 else [])
        raise ConfigError(shown[0], why="; ".join(shown[1:])) from None


def _fields(config: type[BaseModel], keys: Iterable[str]) -> Iterable[str]:
    """The keys known at a place below `config`."""
    for key in keys:
        below = config.model_fields[key].annotation if key in config.model_fields else None
        if not (isinstance(below, type) and issubclass(below, BaseModel)):
            return ()
        config = below
    return config.model_fields


def tuples(value: Any) -> Any:
    """Plain data with every list turned into a tuple, as strict validation wants it."""
    if isinstance(value, Mapping):
        return {key: tuples(item) for key, item in value.items()}
    return tuple(tuples(item) for item in value) if isinstance(value, list | tuple) else value


def _explain(config: type[Config], problem: Mapping[str, Any], origin: Origin) -> str:
    keys = [str(key) for key in problem["loc"]]
    name = ".".join((*origin.prefix, *keys))
    place = origin.of(keys)
    if problem["type"] == "extra_forbidden":
        text = f"unknown key '{name}'" + closest(keys[-1], _fields(config, keys[:-1]))
    elif problem["type"] == "missing":
        text = f"'{name}' is missing"
    elif problem["input"] is None:
        text = f"'{name}' is null, and must have a value"
    else:
        said = problem["msg"].removeprefix("Value error, ")
        for python, yaml in PLAIN.items():
            said = said.replace(python, yaml)
        text = f"'{name}': {said}, found {shortened(problem['input'])}"
    return f"{place}: {text}" if place else text


def closest(word: str, names: Iterable[str]) -> str:
    """ "; did you mean 'epochs'?", or the list of names when none is close."""
    names = sorted(names)
    near = difflib.get_close_matches(word, names, n=1)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known: {', '.join(names[:20])}" if names else ""


def shortened(value: object) -> str:
    """A value as messages show it: at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
