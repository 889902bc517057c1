"""`nascli init`: the YAML of all stages, every key at its default and explained from the schemas."""

from __future__ import annotations

import json
import math
import re
import textwrap
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from pydantic import BaseModel

from nascli import __version__
from nascli.commands.fields import Key, first_line, keys
from nascli.commands.options import Verbose
from nascli.component import Reference, find_class, installed
from nascli.config import Config, Origin, is_marked, validate
from nascli.console import out
from nascli.document import parse_scalar
from nascli.errors import ConfigError
from nascli.stage import Stage, installed_stages

EXAMPLES = ("nascli init > my.yaml", "nascli init --search-space nasbench_macro --dataflow image_folder > my.yaml")
WIDTH, COLUMN = 110, 34

HEAD = """\
Settings for all stages of nascli {version}, each at its default; written by `nascli init`.
The keys at the top are shared by all stages that know them. Below, each stage has a section, whose keys hold for \
that stage alone and win over the shared ones. A key that is left out has its default.
A component is written as its name, or as `use: name` with its options below. One of your own is written \
`use: ./file.py:Class`. `nascli list` shows what is installed, `nascli list KIND NAME` the options of each; \
`nascli init --search-space NAME --dataflow NAME` writes those of other spaces and data.
For one run alone: --set search.max_evaluations=50"""


def init(
    search_space: Annotated[
        str | None, typer.Option("--search-space", metavar="REF", help="Write this search space and its options.")
    ] = None,
    dataflow: Annotated[
        str | None, typer.Option("--dataflow", metavar="REF", help="Write this data set and its options.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Write a YAML for all stages to stdout: every setting at its default, with what it means and may be."""
    out.speak(json=False, verbose=verbose)
    given = {"search_space": search_space, "dataflow": dataflow}
    stages = []
    for plugin in installed_stages():
        if plugin.stage is None:
            out.warning(f"stage '{plugin.name}' is left out, it cannot be loaded: {plugin.error}")
        else:
            stages.append(plugin.stage)
    out.text(document(stages, {kind: _chosen(kind, use) for kind, use in given.items() if use}))


def _chosen(kind: str, use: str) -> Reference:
    cls = find_class(kind, use)
    return Reference(kind, use, cls, _defaults(cls.Config))


def _defaults(model: type[Config]) -> Config:
    """The settings at their defaults; required ones stay unset, so that they can be filled in."""
    try:
        return validate(model, {}, Origin())
    except ConfigError:
        return model.model_construct()


def document(stages: list[Stage], chosen: Mapping[str, Reference]) -> str:
    """The YAML text; `chosen` replaces the default components of shared keys."""
    configs = [_defaults(stage.config) for stage in stages]
    shared = _shared(configs, chosen)
    lines = [*_comment(HEAD.format(version=__version__), 0), ""]
    for key, value in shared.values():
        lines += _entry(key, value, 0)
    for stage, config in zip(stages, configs, strict=True):
        own = list(_section(config, {name: value for name, (_, value) in shared.items()}, chosen))
        lines += ["", *_comment(first_line(stage.function.__doc__), 0)]
        lines += [f"{stage.section}:", *own] if own else [f"{stage.section}: {{}}"]
    return "\n".join(lines)


def _shared(configs: list[Config], chosen: Mapping[str, Reference]) -> dict[str, tuple[Key, Any]]:
    """The shared keys with their values: components first, then settings, then how to run."""
    found: dict[str, tuple[Key, Any]] = {}
    ranks: dict[str, tuple[bool, bool]] = {}
    for config in configs:
        model = type(config)
        for key in keys(model):
            if is_marked(model, key.name, "shared"):
                ranks[key.name] = is_marked(model, key.name, "run_option"), key.kind is None
                if key.name not in found or found[key.name][1] is None:
                    found[key.name] = key, chosen.get(key.name) or getattr(config, key.name, ...)
    return {name: found[name] for name in sorted(found, key=lambda name: ranks[name])}


def _section(config: Config, shared: Mapping[str, Any], chosen: Collection[str]) -> Iterator[str]:
    """The stage's own keys, and the shared ones whose default is another here.

    A default of null means "as in the inputs" and gives way to the shared value.
    """
    for key in keys(type(config)):
        value = getattr(config, key.name, ...)
        if key.name not in shared or not (key.name in chosen or value is None or value == shared[key.name]):
            yield from _entry(key, value, 2)


def _entry(key: Key, value: Any, indent: int) -> Iterator[str]:
    """One key with its comment, and what lies below it."""
    start = f"{' ' * indent}{key.name}:"
    if isinstance(value, BaseModel):
        yield from _line(start, _note(key), indent)
        yield from _options(value, indent + 2)
    elif _has_options(value):
        yield from _line(start, _note(key), indent)
        yield f"{' ' * indent}  use: {_scalar(value.use)}"
        yield from _options(value.options, indent + 2)
    elif isinstance(value, tuple) and any(map(_has_options, value)):
        yield from _line(start, _note(key), indent)
        for item in value:
            yield f"{' ' * indent}  - use: {_scalar(item.use)}"
            yield from _options(item.options, indent + 4)
    else:
        yield from _line(f"{start} {_scalar(value)}", _note(key, required=value is ...), indent)


def _has_options(value: Any) -> bool:
    return isinstance(value, Reference) and bool(type(value.options).model_fields)


def _options(config: BaseModel, indent: int) -> Iterator[str]:
    for key in keys(type(config)):
        yield from _entry(key, getattr(config, key.name, ...), indent)


def _note(key: Key, *, required: bool = False) -> str:
    what = f"installed: {', '.join(installed(key.kind))}" if key.kind else "" if key.below else key.words
    return "; ".join(part for part in ("REQUIRED" * required, key.description, what) if part)


def _line(text: str, note: str, indent: int) -> Iterator[str]:
    """A key with its comment behind it, or above it where it is long."""
    whole = f"{text:<{COLUMN}}  # {note}"
    if not note:
        yield text
    elif len(whole) <= WIDTH:
        yield whole
    else:
        yield from _comment(note, indent)
        yield text


def _comment(text: str, indent: int) -> Iterator[str]:
    for line in text.splitlines():
        prefix = f"{' ' * indent}# "
        yield from textwrap.wrap(line, WIDTH, initial_indent=prefix, subsequent_indent=prefix)


def _scalar(value: Any) -> str:
    """A value in YAML's flow style, as the reader of nascli takes it back."""
    if isinstance(value, Reference):
        return _scalar(value.use)
    if value is ... or value is None or isinstance(value, int | float):
        return json.dumps(None if value is ... else value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_scalar, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_scalar(key)}: {_scalar(item)}' for key, item in value.items())}}}"
    return _text(str(value) if isinstance(value, Path) else value)


def _text(text: str) -> str:
    if re.fullmatch(r"[\w.][\w./-]*(:\w+)?", text) and _is_read_as_text(text):
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return yaml.dump(text, default_style='"', width=math.inf).strip()


def _is_read_as_text(text: str) -> bool:
    try:
        return bool(parse_scalar(text) == text)
    except ConfigError:  # a number that is too large
        return False
