"""Installed stages: the entry points of the group `nascli.stages`, whichever packages they come from."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

from nascli.component import claims, owner
from nascli.config import closest
from nascli.document import Document, read_document
from nascli.errors import ComponentError, ConfigError
from nascli.stage.declaration import Stage, stage_of

GROUP = "nascli.stages"
ORDER = ("build-lut", "train-supernet", "search", "retrain", "evaluate")


@dataclass(frozen=True)
class Plugin:
    """An installed stage: its declaration, or the reason why it cannot be used and what to do about it."""

    name: str
    owner: str
    stage: Stage | None
    error: str = ""
    hint: str = ""

    def usable(self) -> Stage:
        """The stage.

        Raises:
            ComponentError: it cannot be used.
        """
        if self.stage is None:
            raise ComponentError(f"the stage '{self.name}' cannot be used", why=self.error, hint=self.hint)
        return self.stage


def stage_names() -> list[str]:
    """The names of all installed stages in the order of the pipeline, others behind; nothing is imported."""
    return sorted(claims(GROUP), key=_rank)


def _rank(name: str) -> tuple[int, str]:
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)


def packages_of(name: str) -> list[str]:
    """The packages that have a stage of this name; more than one: the YAML must choose."""
    return [owner(point) for point in claims(GROUP).get(name, [])]


def installed_stages(names: Collection[str] | None = None, chosen: Mapping[str, str] | None = None) -> list[Plugin]:
    """The installed stages, or the named ones of them; one that cannot be used is kept with its reason.

    Args:
        names: the stages to load; None for all.
        chosen: stage name → package, for names that several packages claim.
    """
    points, chosen = claims(GROUP), chosen or {}
    return [
        _one(name, [point for point in points[name] if _same_package(chosen.get(name, owner(point)), owner(point))])
        for name in sorted(points, key=_rank)
        if names is None or name in names
    ]


def stage_for(name: str, file: Path | None) -> Stage:
    """The installed stage of a name, of the package that a YAML chooses if it does.

    Raises:
        ConfigError: the YAML cannot be read.
        ComponentError: the stage cannot be used.
    """
    (plugin,) = installed_stages((name,), chosen_packages(read_document(file)) if file else {})
    return plugin.usable()


def every_stage() -> list[Stage]:
    """All stages that load, those included that claim one name."""
    plugins = [_loaded(point) for points in claims(GROUP).values() for point in points]
    return [plugin.stage for plugin in plugins if plugin.stage is not None]


def chosen_packages(document: Document) -> dict[str, str]:
    """The `stages` key of the YAML: stage name → the package that it is taken from.

    Raises:
        ConfigError: no mapping, an unknown stage, or a package that has no such stage.
    """
    value = document.data.get("stages") or {}
    if not isinstance(value, dict):
        place = document.places[("stages",)]
        raise ConfigError(f"{place}: 'stages' names packages, such as stages: {{search: a-package}}")
    return {_chosen_name(document, key): _chosen_package(document, key) for key in value}


def _chosen_name(document: Document, key: str) -> str:
    name, known = key.replace("_", "-"), stage_names()
    if name not in known:
        raise ConfigError(f"{document.places[('stages', key)]}: no stage is called '{key}'{closest(name, known)}")
    return name


def _chosen_package(document: Document, key: str) -> str:
    package, packages = document.data["stages"][key], packages_of(key.replace("_", "-"))
    if not (isinstance(package, str) and any(_same_package(package, other) for other in packages)):
        raise ConfigError(
            f"{document.places[('stages', key)]}: the package '{package}' has no stage '{key}'",
            why=f"installed packages that have one: {', '.join(packages)}",
            hint=f"install it, or write stages: {{{key}: {packages[0]}}}",
        )
    return package


def _same_package(one: str, other: str) -> bool:
    return _normal(one) == _normal(other)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _one(name: str, points: Sequence[EntryPoint]) -> Plugin:
    if len(points) == 1:
        return _loaded(points[0])
    owners = " and ".join(map(owner, points))
    hint = f"choose one in the YAML (-c): stages: {{{name.replace('-', '_')}: {owner(points[-1])}}}"
    return Plugin(name, owners, None, f"{len(points)} packages claim it: {owners}", hint)


def _loaded(point: EntryPoint) -> Plugin:
    try:
        stage = stage_of(point.load())
        if stage.name != point.name:
            raise TypeError(f"{point.value} declares a stage of another name, '{stage.name}'")
        return Plugin(point.name, owner(point), stage)
    except (Exception, SystemExit) as error:
        hint = f"it comes with {owner(point)}: pip install --upgrade {owner(point)}, or uninstall it"
        return Plugin(point.name, owner(point), None, f"{type(error).__name__}: {error}", hint)
