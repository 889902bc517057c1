"""The settings of one run before validation: YAML 1.2 scalars with line numbers, and `--set`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import ComposerError

from nascli.config import Keys, shortened
from nascli.errors import ConfigError

MAX_DEPTH = 32


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
                raise ConfigError(f"{place}: '{'.'.join(keys[: depth + 1])}' is {shortened(below)}, so it has no keys")
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
        raise ConfigError(f"{place}: cannot read the value {shortened(text)}", why=_reason(error)) from None
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
        hint = f"name the YAML in it: {path}/NAME.yaml" if path.is_dir() else hint
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
    shown = [f"line {n + 1} {shortened(lines[n].rstrip())}" for n in range(max(0, mark.line - 1), mark.line + 1)]
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
        raise ConfigError(f"{place}: cannot read the value {shortened(node.value)}", why=str(error)) from None


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
