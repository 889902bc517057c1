"""The reference in `docs/`, made from the code: `python -m nascli.reference` writes it, a test compares it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

from nascli.artifacts.base import FORMATS, Artifact
from nascli.artifacts.header import DataRecord, Entry, Header, SpaceRecord
from nascli.artifacts.manifest import BlockEntry, BlockOperation, BlockPlace, Manifest, ModelFile, NetworkEntry
from nascli.cli import build_app
from nascli.commands.checkup import ENVIRONMENT
from nascli.commands.fields import first_line, rows
from nascli.commands.init import document
from nascli.commands.opening import KINDS as ARTIFACTS
from nascli.commands.sources import definition
from nascli.component import KINDS, find_class, installed
from nascli.console import out
from nascli.errors import NascliError
from nascli.stage import installed_stages

MADE = "<!-- Made by `python -m nascli.reference`. Do not edit: change the code. -->"

MANIFEST = """\
What `nascli export-blocks` writes beside its models: plain JSON, without a header, for any tool that measures them. It
goes with `measurements.csv`, whose columns are `id` (or `architecture`, of a whole network), `name`, `value`, `unit`;
`nascli import-measurements` reads it when it is filled in, or a list of such objects in JSON."""

READING = """\
```python
import json, zipfile
from pathlib import Path

def header(path):
    if path.endswith(".h5"):
        import h5py
        with h5py.File(path) as file:
            return json.loads(file["header"][()].tobytes())
    if path.endswith(".npy"):
        import numpy as np
        with open(path, "rb") as stream:
            np.load(stream)  # the architecture
            return json.loads(np.load(stream).tobytes())
    if path.endswith(".pt"):
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("archive/nascli.json"))
    return json.loads(Path(path).read_bytes())["header"]
```"""


def main() -> None:
    """Write all pages into `docs/` of the working folder."""
    for name, text in pages().items():
        Path("docs", name).write_text(text, encoding="utf-8")
        out.note(f"wrote docs/{name}")


def pages() -> dict[str, str]:
    """File name → text."""
    texts = {"cli.md": command_line(), "artifacts.md": artifacts(), "yaml.md": settings()}
    return {name: "\n\n".join([MADE, *parts]) + "\n" for name, parts in texts.items()}


def command_line() -> list[str]:
    """Every command with its options and examples, exit codes, environment variables."""
    group: Any = typer.main.get_command(build_app())
    parts = ["# The command line", "The result goes to stdout, everything else to stderr.", "## Commands"]
    listed = [[f"[`{name}`](#nascli-{name})", first_line(command.help)] for name, command in group.commands.items()]
    parts += [_table(["command", "what it does"], listed)]
    for name, command in group.commands.items():
        parts += _command(name, command)
    codes = {0: "Done.", 1: "A bug in nascli: please report it."}
    codes |= {cls.exit_code: first_line(cls.__doc__) for cls in NascliError.__subclasses__()}
    codes[141] = "Whoever read stdout went away."
    rows = [[str(code), text] for code, text in sorted(codes.items())]
    parts += ["## Exit codes", _table(["code", "cause"], rows)]
    variables = [[_code(name), text] for name, text in ENVIRONMENT.items()]
    return [*parts, "## Environment variables", _table(["variable", "meaning"], variables)]


def _command(name: str, command: Any) -> list[str]:
    context = typer.Context(command, info_name=name)
    arguments = [param for param in command.params if not param.opts[0].startswith("-")]
    usage = [param.metavar if param.required else f"[{param.metavar}]" for param in arguments]
    parts = [f"### nascli {name}", _unescaped(command.help)]
    parts += [_block("bash", [" ".join(["nascli", name, "[OPTIONS]", *usage])])]
    rows = [[_code(param.metavar), (param.help or "")] for param in arguments]
    options = [param for param in command.params if param not in arguments]
    rows += [
        [_code(names), text.replace("  [", " [")]
        for names, text in (param.get_help_record(context) for param in options)
    ]
    examples = _unescaped(command.epilog or "").removeprefix("Examples:").split("\n\n")
    parts += [_table(["option", "meaning"], rows)] if rows else []
    return parts + ([_block("bash", [text for text in examples if text])] if any(examples) else [])


def artifacts() -> list[str]:
    """Every kind of artifact: file, contents, conventions; and the header that all have."""
    parts = ["# Artifacts", "One result, one file, which says of itself what it is and what it was made from."]
    listed = [[f"[{kind}](#{kind})", _code(cls.suffix), first_line(cls.__doc__)] for kind, cls in ARTIFACTS.items()]
    parts += [_table(["kind", "file", "what it holds"], listed)]
    for kind, cls in ARTIFACTS.items():
        parts += [f"## {kind}", *_artifact(cls)]
    parts += ["## manifest.json", MANIFEST, _fields(Manifest)]
    for part in (BlockEntry, NetworkEntry, BlockOperation, BlockPlace, ModelFile):
        parts += [f"### {part.__name__}", inspect.getdoc(part) or "", _fields(part)]
    parts += ["## The header", inspect.getdoc(Header) or "", _fields(Header)]
    for model in (SpaceRecord, DataRecord, Entry):
        parts += [f"### {model.__name__}", inspect.getdoc(model) or "", _fields(model)]
    return [*parts, "## Reading a header without nascli", READING]


def _artifact(cls: type[Artifact[Any]]) -> list[str]:
    facts = [
        ["file", _code(cls.suffix)],
        ["schema version", str(cls.version)],
        ["made by", _code(cls.made_by) if cls.made_by.startswith("nascli") else cls.made_by],
        ["format", first_line(FORMATS[cls.suffix].__doc__)],
    ]
    contents = [[_code(name), text] for name, text in cls.contents.items()]
    parts = [cls.__doc__ or "", _table(["", ""], facts), "Contents:", _table(["name", "what it holds"], contents)]
    conventions = [[_code(name), text] for name, text in cls.conventions.items()]
    return parts + (["Conventions:", _table(["number", "what it counts"], conventions)] if conventions else [])


def settings() -> list[str]:
    """The whole YAML as `nascli init` writes it, and the options of each component."""
    stages = [plugin.stage for plugin in installed_stages() if plugin.stage is not None]
    parts = ["# The YAML", "One file for all stages. `nascli init` writes this one:"]
    parts += [_block("yaml", [document(stages, {})]), "# Options of the components"]
    for kind in KINDS:
        parts += [f"## {kind}"]
        for name in installed(kind):
            cls = find_class(kind, name)
            parts += [f"### {kind}: {name}", _text(first_line(cls.__doc__)), _fields(cls.Config)]
    return [part for part in parts + _blocks() if part]


def _blocks() -> list[str]:
    """What an `op` may be, with the options beside it."""
    rows = []
    for name in (points := installed("block")):
        found = definition(points[name][0])
        rows.append([_code(name), _code(", ".join(found.options)), found.description])
    text = "What an `op` may be, in a `chain` or in `Block(name, op, options)`; options without a default are required."
    return ["## block", text, _table(["op", "options", "meaning"], rows)]


def _fields(model: type[BaseModel]) -> str:
    """A table of a model's fields, nested ones by their dotted names; "" if there is none."""
    found = [[_code(key), words, _shown(default), text] for key, words, default, text in rows(model)]
    return _table(["key", "type", "default", "meaning"], found) if found else ""


def _shown(default: str | None) -> str:
    return "required" if default is None else _code(default)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(_text, line))} |" for line in lines)


def _text(text: str) -> str:
    """Text that Markdown shows as it is: no HTML outside code, no bar that would end a cell."""
    pieces = text.replace("\\|", "|").replace("|", "\\|").replace("\n", " ").split("`")
    return "`".join(piece if i % 2 else piece.replace("<", "&lt;") for i, piece in enumerate(pieces))


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _block(language: str, lines: Iterable[str]) -> str:
    return "\n".join([f"```{language}", *lines, "```"])


def _unescaped(text: str) -> str:
    return text.replace("\\[", "[")


if __name__ == "__main__":
    main()
