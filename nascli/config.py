"""Configuration: the `Config` base, YAML 1.2 scalars with line numbers, and `--set`.

Precedence: defaults < file < `NASCLI_SEED` < `--set` < flags. A value keeps its origin
("run.yaml:12", "--set"), so that every error can name the place to change.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from yaml.composer import ComposerError

from nascli.errors import ConfigError

Keys = tuple[str, ...]
C = TypeVar("C", bound="Config")

MAX_DEPTH = 32


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


def is_marked(config: type[BaseModel], name: str, mark: str) -> bool:
    """Whether field `name` carries `mark` ("shared" or "run_option")."""
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
    else:
        text = f"'{name}': {problem['msg'].removeprefix('Value error, ')}, found {_short(problem['input'])}"
    return f"{place}: {text}" if place else text


def closest(word: str, names: Iterable[str]) -> str:
    """ "; did you mean 'epochs'?", or the list of names when none is close."""
    names = sorted(names)
    near = difflib.get_close_matches(word, names, n=1)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known: {', '.join(names[:20])}" if names else ""


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


class _Loader(yaml.SafeLoader):
    """Scalars follow YAML 1.2's core schema: `3e8` is a number, `on` and `12:30` are strings.

    Anchors, aliases and deep nesting are refused before anything is built from them.
    """

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "anchor", None) is not None:
            raise ComposerError(None, None, "anchors (&) and aliases (*) are not supported", event.start_mark)
        if self.depth >= MAX_DEPTH:
            raise ComposerError(None, None, f"nested more than {MAX_DEPTH} deep", event.start_mark)
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


_TAG = "tag:yaml.org,2002:"
_SCALARS = {
    "null": (r"~|null|Null|NULL|", "~nN\0"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+", "-+0123456789"),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
}
_Loader.yaml_implicit_resolvers = {}
for _name, (_pattern, _first) in _SCALARS.items():
    _Loader.add_implicit_resolver(
        _TAG + _name, re.compile(f"^(?:{_pattern})$"), [c if c != "\0" else "" for c in _first]
    )


def _finite(text: str) -> float:
    number = math.inf if text.lower().endswith((".inf", ".nan")) else float(text)
    if not math.isfinite(number):
        raise ValueError("it is not a finite number")
    return number


_READERS: Mapping[str, Callable[[str], Any]] = {
    "null": lambda text: None,
    "bool": lambda text: text.lower() == "true",
    "int": int,
    "float": _finite,
    "str": str,
}


def _scalar(node: yaml.Node) -> Any:
    name = node.tag.removeprefix(_TAG)
    if name not in _READERS or (name in _SCALARS and not re.fullmatch(_SCALARS[name][0], node.value)):
        raise ValueError(f"it is no value of the type {node.tag}")
    return _READERS[name](node.value)


@dataclass
class Document:
    """The settings of one run before validation: nested mappings, and the place of every key."""

    data: dict[str, Any] = field(default_factory=dict)
    places: dict[Keys, str] = field(default_factory=dict)
    base: Path = Path()

    def put(self, keys: Keys, value: Any, place: str) -> None:
        """Set the value at `keys`, making the mappings above it.

        A bare component name becomes `{use: name}`; a new `use` drops the options of the old component.
        """
        node = self.data
        for depth, key in enumerate(keys[:-1]):
            below = node.setdefault(key, {})
            if isinstance(below, str):
                below = node[key] = {"use": below}
            if not isinstance(below, dict):
                raise ConfigError(f"{place}: '{'.'.join(keys[: depth + 1])}' is {_short(below)}, so it has no keys")
            node = below
        if keys[-1] == "use":
            node.clear()
        node[keys[-1]] = value
        self.places[keys] = place


def parse_scalar(text: str, place: str = "--set") -> Any:
    """A YAML 1.2 value, as written after `--set key=` or wherever `place` says; sequences become tuples."""
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{place}: cannot read the value {_short(text)}", why=_reason(error)) from None
    return None if node is None else _construct(node, (), {}, place)


def parse_assignment(text: str) -> tuple[Keys, Any]:
    """`a.b=v` → (("a", "b"), v); split at the first `=`, hyphens in keys read as underscores."""
    name, equals, value = text.partition("=")
    keys = tuple(name.strip().replace("-", "_").split("."))
    if not equals or not all(keys):
        raise ConfigError(f"--set {text}: expected KEY=VALUE", hint="for example: --set train_supernet.epochs=5")
    return keys, parse_scalar(value)


def read_document(path: Path) -> Document:
    """Read a YAML file.

    Raises:
        ConfigError: not there, not UTF-8, not YAML, a duplicate key, an alias, or no mapping at the top.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None
    except OSError as error:
        hint = f"write one with every key: nascli init > {path}"
        raise ConfigError(f"cannot read {path}", why=error.strerror or str(error), hint=hint) from None
    document = Document(base=path.parent)
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"cannot read {path}", why=_reason(error), hint=_near(error, text)) from None
    if node is None or node.tag == _TAG + "null":
        return document
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{path}:{node.start_mark.line + 1}: expected keys and values at the top level")
    document.data = _construct(node, (), document.places, str(path))
    return document


def _reason(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}: {problem}" if mark else problem


def _near(error: yaml.YAMLError, text: str) -> str:
    """The lines that a person should look at: where reading stopped, and the one before it."""
    mark = getattr(error, "problem_mark", None)
    lines = text.splitlines()
    if mark is None or mark.line >= len(lines):
        return ""
    shown = [f"line {n + 1} {_short(lines[n].rstrip())}" for n in range(max(0, mark.line - 1), mark.line + 1)]
    return f"look at {' and '.join(shown)}: keys of one section begin in the same column, after spaces"


def _construct(node: yaml.Node, keys: Keys, places: dict[Keys, str], file: str) -> Any:
    place = f"{file}:{node.start_mark.line + 1}"
    if isinstance(node, yaml.CollectionNode) and node.tag not in (_TAG + "seq", _TAG + "map"):
        raise ConfigError(f"{place}: cannot read a value of the type {node.tag}")
    if isinstance(node, yaml.SequenceNode):
        return tuple(_construct(item, (*keys, str(i)), places, file) for i, item in enumerate(node.value))
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, keys, places, file)
    try:
        return _scalar(node)
    except ValueError as error:
        raise ConfigError(f"{place}: cannot read the value {_short(node.value)}", why=str(error)) from None


def _mapping(node: yaml.MappingNode, keys: Keys, places: dict[Keys, str], file: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        place = f"{file}:{key_node.start_mark.line + 1}"
        if not isinstance(key_node, yaml.ScalarNode):
            raise ConfigError(f"{place}: a key is one word, not a list or a mapping")
        key = str(key_node.value)
        if key in result:
            raise ConfigError(f"{place}: key '{key}' stands twice")
        places[(*keys, key)] = place
        result[key] = _construct(value_node, (*keys, key), places, file)
    return result
