"""What the schemas say of a setting: its type and range in words, and the kind of component it holds."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from nascli.component import Kind, Reference
from nascli.config import Config

WORDS: Mapping[Any, str] = {
    bool: "true | false",
    int: "integer",
    float: "number",
    str: "text",
    Path: "path",
    Any: "any value",
    Reference: "component",
}


@dataclass(frozen=True)
class Key:
    """One setting in words.

    `words` are type and range, such as "integer, >= 1" or "sgd | adamw"; `kind` the kind of component that it
    holds, be it optional or in a list; `below` the model of nested settings.
    """

    name: str
    description: str
    words: str
    kind: str | None
    below: type[BaseModel] | None


class Row(NamedTuple):
    """One setting as tables show it, nested ones by dotted names; `default` is None where it is required."""

    key: str
    words: str
    default: str | None
    description: str


def rows(model: type[BaseModel], prefix: str = "") -> Iterator[Row]:
    """All settings of a model and of the models within it, in its order."""
    model.model_rebuild()
    for key in keys(model):
        field = model.model_fields[key.name]
        default = field.get_default(call_default_factory=True)
        if key.below is not None and isinstance(default, BaseModel):
            yield from rows(key.below, f"{prefix}{key.name}.")
        else:
            shown = None if field.is_required() else _default(default)
            yield Row(prefix + key.name, key.words, shown, key.description)


def _default(value: object) -> str:
    shown = {None: "null", True: "true", False: "false", "": "''"}
    if isinstance(value, tuple):
        return f"[{', '.join(map(_default, value))}]"
    return shown.get(value, str(value)) if isinstance(value, bool | str | None) else str(value)


def keys(model: type[BaseModel]) -> list[Key]:
    """The settings of a model, in its order."""
    return [_key(model, name, field) for name, field in model.model_fields.items()]


def _key(model: type[BaseModel], name: str, field: FieldInfo) -> Key:
    kind = next(_kinds(field.metadata, field.annotation), None)
    words = ", ".join(part for part in (_words(field.annotation), _range(field.metadata)) if part)
    annotation = field.annotation
    below = annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
    text = _described(model, name) or (first_line(below.__doc__) if below else "")
    return Key(name, text.removesuffix("."), words, kind, below)


def _described(model: type[BaseModel], name: str) -> str:
    """The field's description; one that gives another default alone has that of the model it inherits from."""
    fields = (base.model_fields.get(name) for base in model.__mro__ if issubclass(base, BaseModel))
    return next((field.description for field in fields if field is not None and field.description), "")


def first_line(text: str | None) -> str:
    """The first line of a docstring."""
    return (text or "").strip().partition("\n")[0].strip()


def _words(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return ", ".join(part for part in (_words(args[0]), _range(args[1:])) if part)
    if origin is Literal:
        return " | ".join(map(str, args))
    if origin in (Union, types.UnionType):
        parts = [_words(arg) for arg in args if arg is not type(None)]
        return " or ".join(parts + ["null"] * (type(None) in args))
    if origin is tuple:
        count = "" if args[-1] is Ellipsis else f"{len(args)}: "
        return f"list of {count}{_words(args[0])}"
    if origin is dict:
        return f"mapping of {_words(args[0])} to {_words(args[1])}"
    return WORDS.get(annotation) or _named(annotation)


def _named(annotation: Any) -> str:
    """Nested settings by their keys, other types by their name."""
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return f"{{{', '.join(annotation.model_fields)}}}"
    return str(getattr(annotation, "__name__", annotation))


def _range(metadata: Iterable[Any]) -> str:
    found = {
        sign: getattr(mark, sign)
        for mark in metadata
        for sign in ("ge", "gt", "le", "lt", "min_length", "max_length")
        if getattr(mark, sign, None) is not None
    }
    if "ge" in found and "le" in found:
        return f"{found['ge']} to {found['le']}"
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<", "min_length": "at least", "max_length": "at most"}
    return ", ".join(f"{signs[sign]} {bound}" for sign, bound in found.items())


def _kinds(metadata: Iterable[Any], annotation: Any) -> Iterator[str]:
    yield from (mark.name for mark in metadata if isinstance(mark, Kind))
    for part in get_args(annotation):
        yield from _kinds(getattr(part, "__metadata__", ()), part)
