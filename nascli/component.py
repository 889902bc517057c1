"""Components: a class, a nested pydantic `Config`, and `build()`; and how a reference finds one.

A reference is written `name`, `package.module:Class`, `./file.py:Class` or `./folder:Class`, alone or as
`{use: reference, option: value}`. Names are entry points of the group `nascli.<kind>`, the built-in ones too.
File references are relative to the YAML that holds them, or to the working folder on the command line.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import sys
import traceback
from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from pydantic import BeforeValidator, GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema

from nascli.config import Config as BaseConfig
from nascli.config import Origin, closest, validate
from nascli.errors import ComponentError, ConfigError
from nascli.users import USERS, add_package, example

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


def claims(group: str) -> dict[str, list[EntryPoint]]:
    """The entry points of a group by name, none of them imported; more than one where packages claim one name."""
    found: dict[str, list[EntryPoint]] = {}
    for point in sorted(entry_points(group=group), key=lambda point: (point.name, owner(point))):
        found.setdefault(point.name, []).append(point)
    return found


def owner(point: EntryPoint) -> str:
    """The package that an entry point comes from; its value where an interrupted pip left no name."""
    return (point.dist.name if point.dist else "") or point.value


def find_class(kind: str, use: str) -> type[Component]:
    """The class behind a reference, whatever options it has.

    Raises:
        ComponentError: unknown name, a module that does not import, a class of the wrong base.
    """
    return _load(kind, use, Path())[0]


def load_object(kind: str, use: str, base: Path) -> tuple[Any, str | None]:
    """What a reference names, whatever it is, and the sha256 of its file or folder (None for what is installed).

    Args:
        kind: the entry-point group without "nascli.", also of the smaller kinds that are not in `KINDS`: "block".
        base: the folder that file references start at.

    Raises:
        ComponentError: unknown name, a module that does not import, no such class or function in it.
    """
    target, colon, attribute = use.rpartition(":")
    if not colon:
        point = _entry_point(kind, use)
        add_package(point.module)
        return _guarded(f"{kind} '{use}'", point.load), None
    if (path := file_of(use, base)) is not None:
        module, source = _import_path(path, kind), digest_of(path)
        return _attribute(kind, module, attribute, str(path)), source
    add_package(target)
    module = _guarded(f"module '{target}'", partial(importlib.import_module, target))
    return _attribute(kind, module, attribute, target), None


def file_of(use: str, base: Path) -> Path | None:
    """The file or folder that a reference names, whether it is there or not; None for names and modules."""
    target, colon, _ = use.rpartition(":")
    is_file = bool(colon) and (target.startswith((".", "/", "~")) or target.endswith(".py"))
    return (base / Path(target).expanduser()).resolve() if is_file else None


def installed(kind: str) -> dict[str, list[EntryPoint]]:
    """The installed components of a kind, by name, none of them imported; see `claims`."""
    return claims(f"nascli.{kind}")


def _entry_point(kind: str, use: str) -> EntryPoint:
    names = installed(kind)
    if use not in names:
        raise ComponentError(
            f"no {kind} is called '{use}'" + closest(use, names),
            hint=f"a class of your own: {{use: ./file.py:Class}}; what there is: nascli list {kind}",
        )
    point, *others = names[use]
    if others:
        owners = " and ".join(map(owner, names[use]))
        raise ComponentError(
            f"{len(names[use])} packages claim the {kind} '{use}': {owners}",
            hint=f"name the class itself: {' or '.join(point.value for point in names[use])}",
        )
    return point


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


def _attribute(kind: str, module: Any, name: str, where: str) -> Any:
    if not hasattr(module, name):
        what = "class" if kind in KINDS else "class or function"
        own = [key for key, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
        hint = f"what it has: {', '.join(own)}" if own else example(kind)
        raise ComponentError(f"{where} has no {what} '{name}'" + closest(name, own), hint=hint)
    return getattr(module, name)


def _import_path(path: Path, kind: str) -> Any:
    file = path / "__init__.py" if path.is_dir() else path
    if not file.is_file():
        others = sorted(other.name for other in file.parent.glob("*.py"))
        raise ComponentError(f"no such file: {file}" + closest(file.name, others), hint=example(kind))
    name = f"{USERS}{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    search = [str(path)] if path.is_dir() else None
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=search)
    if spec is None or spec.loader is None:
        raise ComponentError(f"{file} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        _guarded(str(file), partial(spec.loader.exec_module, module))
    except BaseException:
        for loaded in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
            del sys.modules[loaded]
        raise
    return module


def _guarded(what: str, load: Any) -> Any:
    try:
        return load()
    except (Exception, SystemExit) as error:
        why = f"{type(error).__name__}: {error}"
        hint = "the whole traceback: the same command with NASCLI_DEBUG=1 before it"
        raise ComponentError(f"{what} could not be imported", why=why + _place(error), hint=hint) from error


def _place(error: BaseException) -> str:
    """Where an import failed, such as " (loss.py, line 3)": the innermost frame that is not import machinery."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_import(frame.filename)]
    if isinstance(error, SyntaxError) or not frames:
        return ""
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"


def _is_import(file: str) -> bool:
    return file in (__file__, importlib.__file__, importlib.metadata.__file__) or file.startswith("<frozen importlib")


def digest_of(path: Path) -> str:
    """sha256 of a file, or of all Python files under a folder with their relative names."""
    digest = hashlib.sha256()
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    for file in files:
        name = file.relative_to(path).as_posix() if path.is_dir() else ""
        digest.update(name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
