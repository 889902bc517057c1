"""The settings of a stage: one YAML for all of them, its section over the shared keys, `--set`, flags."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from nascli.artifacts.files import sha256_stream
from nascli.component import Reference
from nascli.config import Config, Keys, Origin, closest, is_marked, validate
from nascli.document import Document, parse_assignment, parse_scalar, read_document
from nascli.errors import ConfigError
from nascli.stage.declaration import Stage
from nascli.stage.plugins import chosen_packages, every_stage, stage_names


def load_config(target: Stage, file: Path | None, assignments: Sequence[str], flags: Mapping[str, Any]) -> Config:
    """Defaults < file < NASCLI_SEED < --set < flags, validated.

    Like in the file, `--set` of a key that only other stages have is passed over, so that a script can give one
    list of settings to all of its stages.

    Raises:
        ConfigError: unknown keys and wrong values, each with its place.
    """
    document = read_document(file) if file else Document(base=Path())
    sections = _sections(target)
    known = _top_keys(target, sections)
    _check_keys(document, known, {name: keys for name, keys in sections.items() if name != target.section})
    chosen_packages(document)
    data, origin = _section(document, target)
    merged = Document(data, dict(origin.places), document.base)
    if "NASCLI_SEED" in os.environ and "seed" in target.config.model_fields:
        merged.put(("seed",), parse_scalar(os.environ["NASCLI_SEED"], "NASCLI_SEED"), "NASCLI_SEED")
    named = {name: _from_here(value) for name, value in flags.items() if name in target.components}
    for name, value in named.items():  # before --set, which gives options to the component that a flag names
        merged.put((name,), value, _flag(name))
    for text in assignments:
        keys, value = parse_assignment(text)
        if keys[0] == "stages":
            raise ConfigError(f"--set {text}: whose stage it is, the YAML alone says", hint="write it there, and -c it")
        _check_section(keys, sections, f"--set {text}", target)
        own = keys[1:] if keys[0] == target.section else keys
        if own[0] in target.components and own[1:] in ((), ("use",)) and isinstance(value, str):
            value = _from_here(value)
        if own[0] in target.config.model_fields or own[0] not in known:
            merged.put(own, value, f"--set {text}")
    for name, value in flags.items():
        if name not in named or _use(merged.data[name]) != named[name]:
            merged.put((name,), named.get(name, value), _flag(name))
    _use_defaults(target, merged)
    return validate(target.config, merged.data, Origin(merged.places, base=document.base))


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _use(reference: Any) -> Any:
    return reference.get("use") if isinstance(reference, dict) else reference


def _use_defaults(target: Stage, merged: Document) -> None:
    """Options without a `use` are those of the default component: `--set dataflow.batch_size=16`."""
    for name in target.components:
        given, default = merged.data.get(name), target.config.model_fields[name].default
        if isinstance(given, dict) and "use" not in given and default is not None:
            merged.data[name] = {**({"use": default} if isinstance(default, str) else default), **given}


def _from_here(reference: str) -> str:
    """A file reference of the command line starts at the working folder, not at the YAML."""
    is_file = ":" in reference and (reference.startswith((".", "~")) or reference.partition(":")[0].endswith(".py"))
    return str(Path.cwd() / Path(reference).expanduser()) if is_file else reference


def _sections(target: Stage) -> dict[str, set[str]]:
    """The keys of every stage's section; where several packages have the stage, of any of them."""
    found: dict[str, set[str]] = {}
    for stage in (target, *every_stage()):
        found.setdefault(stage.section, set()).update(stage.config.model_fields)
    return found


def _top_keys(target: Stage, sections: Mapping[str, set[str]]) -> set[str]:
    """The keys that may stand at the top of the YAML: shared ones of any stage, and the stages' sections."""
    stages = (target, *every_stage())
    shared = {name for s in stages for name in s.config.model_fields if is_marked(s.config, name, "shared")}
    return shared | sections.keys() | {name.replace("-", "_") for name in stage_names()} | {"stages"}


def _check_keys(document: Document, known: set[str], others: Mapping[str, set[str]]) -> None:
    """Raises ConfigError for keys that nobody has, at the top or in the section of another stage."""
    unknown: list[tuple[Keys, set[str]]] = [((key,), known) for key in document.data if key not in known]
    for name, keys in others.items():
        section = document.data.get(name)
        if isinstance(section, dict):
            unknown += [((name, key), keys) for key in section if key not in keys]
    if unknown:
        places = [f"{document.places[path]}: {_unknown(path, names)}" for path, names in unknown]
        raise ConfigError(places[0], why="; ".join(places[1:4]))


def _check_section(keys: Keys, sections: Mapping[str, set[str]], place: str, target: Stage) -> None:
    """Raises ConfigError where `--set` gives a section a value, or the section of another stage a key it lacks."""
    name, *below = keys
    if name in sections and not below:
        raise ConfigError(f"{place}: '{name}' is a section", hint=f"set a key of it: --set {name}.KEY=VALUE")
    if name in sections and name != target.section and below[0] not in sections[name]:
        raise ConfigError(f"{place}: {_unknown(keys[:2], sections[name])}")


def _unknown(keys: Keys, names: set[str]) -> str:
    return f"unknown key '{'.'.join(keys)}'{closest(keys[-1], names)}"


def _section(document: Document, target: Stage) -> tuple[dict[str, Any], Origin]:
    """The stage's settings: its section, over the shared keys that it knows."""
    section = document.data.get(target.section) or {}
    if not isinstance(section, dict):
        place = document.places[(target.section,)]
        raise ConfigError(f"{place}: '{target.section}' is a section: keys and values are expected below it")
    fields = target.config.model_fields
    shared = {k: v for k, v in document.data.items() if k in fields and is_marked(target.config, k, "shared")}
    places = {keys: place for keys, place in document.places.items() if keys[0] in shared and keys[0] not in section}
    places |= {keys[1:]: place for keys, place in document.places.items() if keys[0] == target.section and keys[1:]}
    return {**shared, **section}, Origin(places, base=document.base)


def files(config: BaseModel, prefix: str = "") -> dict[str, str]:
    """Dotted key → sha256 of the file that it names, for the settings whose file's contents count, not its place."""
    found: dict[str, str] = {}
    for name in type(config).model_fields:
        value, key = getattr(config, name), f"{prefix}{name}"
        below = value.options if isinstance(value, Reference) else value
        if isinstance(below, BaseModel):
            found |= files(below, f"{key}.")
        elif isinstance(value, Path) and is_marked(type(config), name, "contents") and value.expanduser().is_file():
            with value.expanduser().open("rb") as stream:
                found[key] = sha256_stream(stream)
    return found


def settings(config: BaseModel, *, everything: bool = True) -> dict[str, Any]:
    """A config as plain data; `everything=False` leaves out what only says how to run."""
    result: dict[str, Any] = {}
    for name in type(config).model_fields:
        if everything or not is_marked(type(config), name, "run_option"):
            result[name] = _plain(getattr(config, name), everything)
    return result | {name: _plain(value, everything) for name, value in (config.model_extra or {}).items()}


def _plain(value: Any, everything: bool) -> Any:
    if isinstance(value, Reference):
        name = value.use if everything else value.name
        source = {"source": value.source} if value.source else {}
        return {"use": name, **source, **settings(value.options, everything=everything)}
    if isinstance(value, BaseModel):
        return settings(value, everything=everything)
    if isinstance(value, tuple | list):
        return [_plain(item, everything) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item, everything) for key, item in value.items()}
    return str(value) if isinstance(value, Path) else value
