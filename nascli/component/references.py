"""References as values: what was written, checked against the base of its kind, with validated options.

A reference is written `name`, `package.module:Class`, `./file.py:Class` or `./folder:Class`, alone or as
`{use: reference, option: value}`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BeforeValidator, GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema

from nascli.component.base import KINDS, Component
from nascli.component.loading import load_object
from nascli.config import Config as BaseConfig
from nascli.config import Origin, validate
from nascli.errors import ComponentError, ConfigError
from nascli.users import example


@dataclass(frozen=True)
class Reference:
    """A resolved reference: what was written, the class behind it, its validated options.

    `source` is the sha256 of the named file or folder; None for installed components. `base` is the folder that file
    references start at, here and in the options.
    """

    kind: str
    use: str
    cls: type[Component]
    options: BaseConfig
    source: str | None = None
    base: Path = field(default=Path(), compare=False)

    @property
    def name(self) -> str:
        """The reference without the folder of a file: the same wherever the file lies."""
        target, colon, attribute = self.use.rpartition(":")
        return f"{Path(target).name}{colon}{attribute}" if self.source else self.use

    def build(self) -> Any:
        """A new component of this class with these options."""
        component = self.cls(self.options)
        component.file_digest = self.source
        return component


@dataclass(frozen=True)
class Kind:
    """Annotation of a config field that holds a reference: `Annotated[Reference, Kind("criterion")]`."""

    name: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return BeforeValidator(self._validate).__get_pydantic_core_schema__(Any, handler)  # it knows the field's name

    def _validate(self, value: Any, info: ValidationInfo) -> Reference:
        origin = info.context if isinstance(info.context, Origin) else Origin()
        return value if isinstance(value, Reference) else resolve(self.name, value, origin.child(info.field_name or ""))


def resolve(kind: str, value: Any, origin: Origin | None = None) -> Reference:
    """Turn `"name"` or `{"use": "name", option: value}` into a `Reference`.

    Raises:
        ComponentError: unknown name, a module that does not import, a class of the wrong base.
        ConfigError: an option that the component does not have, or a wrong value.
    """
    origin = origin or Origin()
    place = origin.of()
    data = {"use": value} if isinstance(value, str) else value
    if not isinstance(data, Mapping) or not isinstance(data.get("use"), str):
        raise ComponentError(f"{place or kind}: expected a name or {{use: name, …}} for '{kind}', found {value!r:.60}")
    options = {key: item for key, item in data.items() if key != "use"}
    use = data["use"]
    try:
        cls, source = _load(kind, use, origin.base)
    except ComponentError as error:
        error.what = f"{place}: {error.what}" if place else error.what
        raise
    try:
        settings = validate(cls.Config, options, origin)
    except ConfigError as error:
        error.hint = error.hint or f"all its options: nascli list {kind.replace('_', '-')} {use}"
        raise
    return Reference(kind, use, cls, settings, source, origin.base.absolute())


def find_class(kind: str, use: str) -> type[Component]:
    """The class behind a reference, whatever options it has.

    Raises:
        ComponentError: unknown name, a module that does not import, a class of the wrong base.
    """
    return _load(kind, use, Path())[0]


def _load(kind: str, use: str, base: Path) -> tuple[type[Component], str | None]:
    found, source = load_object(kind, use, base)
    return _checked(kind, use, found), source


def _checked(kind: str, use: str, found: Any) -> type[Component]:
    module, _, name = KINDS[kind].partition(":")
    base: type[Component] = getattr(importlib.import_module(module), name)
    found = base.adapt(found)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ComponentError(
            f"'{use}' is not a {base.__name__}", why=f"a {kind} inherits {module}.{name}", hint=example(kind)
        )
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise ComponentError(f"'{use}' is not complete: it lacks {', '.join(missing)}", hint=example(kind))
    return found
