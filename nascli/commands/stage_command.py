"""A stage as a Typer command: its inputs, the few common flags, and the flags its settings ask for."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from nascli.artifacts.base import Artifact
from nascli.commands.views import as_json, tables
from nascli.config import Config
from nascli.console import out
from nascli.ranks import processes_of
from nascli.stage.declaration import Stage
from nascli.stage.execution import How, execute, open_input
from nascli.stage.plan import plan
from nascli.stage.plugins import Plugin
from nascli.stage.settings import load_config

FLAGS: dict[str, tuple[Any, str]] = {
    "constraint": (list[str], "A bound such as 'macs<=30e6'; repeat it for several."),
    "margin": (
        float,
        "How far measured costs may be off without breaking a bound, 0.05 is 5 %; without it, the table's own error.",
    ),
    "epochs": (int, "How many times the training images are seen."),
    "seed": (int, "Seed of all random streams."),
    "accelerator": (str, "Where to compute."),
    "devices": (str, "Devices on each machine, a process for each; auto: all GPUs."),
    "num_nodes": (int, "How many machines run this command together."),
    "precision": (str, "Precision of the forward; fp32 is 32."),
}

COMMON: dict[str, tuple[Any, tuple[str, ...], str]] = {
    "out": (Path, ("--out", "-o"), "Where the result goes."),
    "config": (Path, ("--config", "-c"), "The YAML of the pipeline."),
    "assign": (list[str], ("--set",), "Set a key of the configuration: KEY=VALUE; repeat it for several."),
    "resume": (bool, ("--resume",), "Go on from the checkpoint in OUT.run."),
    "force": (bool, ("--force",), "Replace an existing result, give up an unfinished run."),
    "skip_if_current": (
        bool,
        ("--skip-if-current",),
        "Do nothing if the result was made with the same settings, inputs and data; else make it anew.",
    ),
    "dry_run": (bool, ("--dry-run",), "Check settings, inputs, output and feasibility; compute and write nothing."),
    "as_json": (bool, ("--json",), "Print one JSON object."),
    "quiet": (bool, ("--quiet", "-q"), "Print the path of the result alone."),
    "verbose": (bool, ("--verbose", "-v"), "Show tracebacks."),
}


METAVARS = {"assign": "KEY=VALUE", "constraint": "BOUND", "margin": "SHARE", "devices": "N|auto"}
METAVARS |= dict.fromkeys(("lut", "supernet", "generator", "init", "model", "teacher"), "PATH") | {"arch": "PATH|0,2,1"}


def add_stage(app: typer.Typer, plugin: Plugin) -> None:
    """Add an installed stage to the app; one that cannot be used becomes a grey line that says why."""
    if plugin.stage is None:
        text = f"[dim]{escaped(f'(cannot be used: {plugin.error})')}[/dim]"
        lenient = {"ignore_unknown_options": True, "allow_extra_args": True}
        app.command(plugin.name, help=text, rich_help_panel="Broken", context_settings=lenient)(_broken(plugin))
        return
    text, examples = prose(plugin.stage.function.__doc__), epilog(plugin.stage.examples)
    app.command(plugin.name, help=text, epilog=examples, rich_help_panel="Pipeline")(command(plugin.stage))


def escaped(text: str) -> str:
    """Text for a help page, where an unescaped bracket would be markup."""
    return text.replace("[", "\\[")


def prose(text: str | None) -> str:
    """A docstring for a help page: the lines of a paragraph flow, whatever the width."""
    return escaped(re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.cleandoc(text or "")))


def epilog(examples: Sequence[str]) -> str | None:
    """The examples as the end of a help page."""
    return escaped("\n\n".join(("Examples:", *examples))) if examples else None


def _broken(plugin: Plugin) -> Callable[[], None]:
    def fail() -> None:
        plugin.usable()

    return fail


def command(stage: Stage) -> Callable[..., None]:
    """The function that Typer turns into the command of `stage`."""
    fields = stage.config.model_fields
    flags = [name for name in (*stage.components, *FLAGS) if name in fields]

    def run_stage(**values: Any) -> None:
        out.speak(values["as_json"], values["quiet"], values["verbose"])
        given = {name: values[name] for name in flags if values[name] is not None}
        if "constraint" in given:
            given["constraint"] = tuple(given["constraint"])
        config = load_config(stage, values["config"], values["assign"] or [], given)
        inputs = {entry.role: open_input(entry, values[entry.role]) for entry in stage.inputs}
        if values["dry_run"]:
            present_plan(plan(stage, config, inputs, values["out"]))
        else:
            how = How(values["resume"], values["force"], values["skip_if_current"], processes_of(config))
            result, made = execute(stage, config, inputs, values["out"], how)
            if not out.muted:
                present(result, "wrote" if made else "kept, it is current:")

    run_stage.__dict__["__signature__"] = inspect.Signature(_parameters(stage, flags))
    return run_stage


def _parameters(stage: Stage, flags: list[str]) -> list[inspect.Parameter]:
    options: dict[str, tuple[Any, tuple[str, ...], str]] = {
        entry.role: (
            str,
            (f"--{entry.role}",),
            f"{entry.artifact.__doc__}"[:-1] + ("; optional." if entry.optional else "; required."),
        )
        for entry in stage.inputs
    }
    options |= {name: COMMON[name] for name in ("out", "config", "assign")}
    options |= {name: _flag(stage.config, name, stage.components.get(name)) for name in flags}
    options |= {name: COMMON[name] for name in COMMON if name not in options}
    return [_parameter(name, *option) for name, option in options.items()]


def _flag(config: type[Config], name: str, kind: str | None) -> tuple[Any, tuple[str, ...], str]:
    field = config.model_fields[name]
    annotation, text = FLAGS.get(name, (str, field.description or ""))
    annotation = field.annotation if get_origin(field.annotation) is Literal else annotation
    default = field.get_default(call_default_factory=True)
    default = default["use"] if isinstance(default, Mapping) else default
    told = f" Default: {default}." if isinstance(default, str | int | float) else ""
    return annotation, (f"--{name.replace('_', '-')}",), (text or f"A {(kind or name).replace('_', ' ')}.") + told


def _parameter(name: str, annotation: Any, names: tuple[str, ...], text: str) -> inspect.Parameter:
    required = name == "out"
    default = inspect.Parameter.empty if required else False if annotation is bool else None
    optional = annotation if required or annotation is bool else annotation | None
    choices = "|".join(get_args(annotation)) if get_origin(annotation) is Literal else None
    metavar = METAVARS.get(name) or choices or {Path: "PATH", int: "N", str: "REF"}.get(annotation)
    option = typer.Option(*names, help=text, metavar=metavar, show_default=False)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[optional, option]
    )


def present_plan(planned: dict[str, str]) -> None:
    """Print what a stage would do."""
    if out.mode == "json":
        out.json(planned)
    elif out.mode == "human":
        out.table("dry run: nothing was computed or written", ["", "value"], [[k, v] for k, v in planned.items()])


def present(artifact: Artifact[Any], what: str) -> None:
    """Print a result: its tables, one JSON object, or its path."""
    if out.mode == "quiet":
        out.text(str(artifact.path))
    elif out.mode == "json":
        out.json(as_json(artifact))
    else:
        for title, columns, rows in tables(artifact):
            out.table(title, columns, rows)
        out.note(f"{what} {artifact.path}")
