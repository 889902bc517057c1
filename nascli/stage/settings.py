"""The settings of a stage: one YAML for all of them, its section over the shared keys, `--set`, flags."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from nascli.component import Reference
from nascli.config import (
    Config,
    Document,
    Origin,
    closest,
    is_marked,
    parse_assignment,
    parse_scalar,
    read_document,
    validate,
)
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
    known = _top_keys(target)
    _check_top(document, known)
    chosen_packages(document)
    data, origin = _section(document, target)
    merged = Document(data, dict(origin.places), document.base)
    if "NASCLI_SEED" in os.environ and "seed" in target.config.model_fields:
        merged.put(("seed",), parse_scalar(os.environ["NASCLI_SEED"]), "NASCLI_SEED")
    for text in assignments:
        keys, value = parse_assignment(text)
        if keys[0] == "stages":
            raise ConfigError(f"--set {text}: whose stage it is, the YAML alone says", hint="write it there, and -c it")
        own = keys[1:] if keys[0] == target.section and len(keys) > 1 else keys
        if own[0] in target.config.model_fields or own[0] not in known:
            merged.put(own, value, f"--set {text}")
    for name, value in flags.items():
        given = _from_here(value) if name in target.components else value
        merged.put((name,), given, f"--{name.replace('_', '-')}")
    _use_defaults(target, merged)
    return validate(target.config, merged.data, Origin(merged.places, base=document.base))


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


def _top_keys(target: Stage) -> set[str]:
    """The keys that may stand at the top of the YAML: shared ones of any stage, and the stages' sections."""
    stages = [target, *every_stage()]
    shared = {name for s in stages for name in s.config.model_fields if is_marked(s.config, name, "shared")}
    sections = {target.section, *(name.replace("-", "_") for name in stage_names())}
    return shared | sections | {"stages"}


def _check_top(document: Document, known: set[str]) -> None:
    unknown = [key for key in document.data if key not in known]
    if unknown:
        places = [f"{document.places[(key,)]}: unknown key '{key}'{closest(key, known)}" for key in unknown]
        raise ConfigError(places[0], why="; ".join(places[1:4]))


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


def settings(config: BaseModel, *, everything: bool = True) -> dict[str, Any]:
    """A config as plain data; `everything=False` leaves out what only says how to run."""
    result: dict[str, Any] = {}
    for name in type(config).model_fields:
        if everything or not is_marked(type(config), name, "run_option"):
            result[name] = _plain(getattr(config, name), everything)
    return result


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
