"""The `nascli` command: finds the stages, keeps their order, turns errors into exit codes."""

from __future__ import annotations

import os
import shlex
import sys
import traceback
from argparse import ArgumentParser
from collections.abc import Collection, Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from nascli import __version__
from nascli.commands.stage_command import add_stage, epilog, prose
from nascli.console import out
from nascli.document import read_document
from nascli.errors import Interrupted, NascliError, RunFailed, UsageError, torch_error
from nascli.ranks import is_first_of_node
from nascli.stage import chosen_packages, installed_stages, packages_of, stage_names
from nascli.users import users_error

HELP = """One-shot neural architecture search, a command per stage and a file per result.

A REF names a component: as `nascli list` shows it, as ./file.py:Class, or as package.module:Class.

Exit codes: 0 done, 1 a bug, 2 usage or configuration, 3 an artifact is missing, broken or does not fit,
4 no architecture meets the constraint, 5 the run failed, 130 interrupted (go on with --resume).
"""

COMMANDS = {  # name → panel of the help page, function
    "export": ("Around the pipeline", "nascli.commands.export:export"),
    "compare": ("Around the pipeline", "nascli.commands.compare:compare"),
    "export-blocks": ("Around the pipeline", "nascli.commands.export_blocks:export_blocks"),
    "import-measurements": ("Around the pipeline", "nascli.commands.import_measurements:import_measurements"),
    "report": ("Inspect", "nascli.commands.report:report"),
    "init": ("Components", "nascli.commands.init:init"),
    "scaffold": ("Components", "nascli.commands.scaffold:scaffold_component"),
    "list": ("Components", "nascli.commands.list:list_components"),
    "inspect": ("Inspect", "nascli.commands.inspect:inspect"),
    "doctor": ("Inspect", "nascli.commands.doctor:doctor"),
}


def _version(value: bool) -> None:
    if value:
        out.text(f"nascli {__version__}")
        raise typer.Exit


def build_app(only: Collection[str] | None = None, packages: Mapping[str, str] | None = None) -> typer.Typer:
    """The command line, with all commands or with some; imports neither torch nor h5py.

    `packages`: stage name → package, for stages that several packages have.
    """
    app = typer.Typer(
        no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="rich", add_completion=True
    )

    @app.callback(help=prose(HELP))
    def root(
        version: Annotated[
            bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
        ] = False,
    ) -> None:
        pass

    for plugin in installed_stages(only, packages):
        add_stage(app, plugin)
    for name, (panel, target) in COMMANDS.items():
        if only is None or name in only:
            _add_command(app, name, panel, target)
    return app


def _add_command(app: typer.Typer, name: str, panel: str, target: str) -> None:
    """A command from its function's docstring and, if there are any, its module's EXAMPLES."""
    path, _, attribute = target.partition(":")
    module = import_module(path)
    function, examples = getattr(module, attribute), getattr(module, "EXAMPLES", ())
    app.command(name, help=prose(function.__doc__), epilog=epilog(examples), rich_help_panel=panel)(function)


def _called(arguments: list[str]) -> list[str] | None:
    """The command that is called, if it is one: only that is imported then."""
    known = {*stage_names(), *COMMANDS}
    return arguments[:1] if arguments and arguments[0] in known else None


def _packages(called: list[str] | None, arguments: list[str]) -> dict[str, str]:
    """What the YAML says about whose stage to take; read only when several packages have the one that is called."""
    if called is None or len(packages_of(called[0])) < 2:
        return {}
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config", "-c", type=Path, nargs="?")
    file = parser.parse_known_args(arguments)[0].config
    return chosen_packages(read_document(file)) if file else {}


def main() -> None:
    """Run the command line and exit with the code of the cause."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed: else the next file to be opened would take its number
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line on `arguments`; the exit code."""
    out.muted = not is_first_of_node()
    try:
        called = _called(arguments)
        app = build_app(called, _packages(called, arguments))
        code = app(arguments, prog_name="nascli", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except (BrokenPipeError, SystemExit) as error:  # rich makes the second of the first
        if not isinstance(error, BrokenPipeError) and not isinstance(error.__context__, BrokenPipeError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (Exception, KeyboardInterrupt) as error:
        told = _told(error, arguments)
        out.error(told)
        return told.exit_code


def _told(error: BaseException, arguments: list[str]) -> NascliError:
    """What a person is told of an exception: the cause, a hint and the exit code."""
    words = shlex.join(["nascli", *arguments])
    if isinstance(error, typer.TyperException):
        what = error.format_message().replace("Value error, ", "")
        return UsageError(what, hint=shlex.join(["nascli", *(_called(arguments) or ()), "--help"]))
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        hint = f"run it again, with --resume if there is a checkpoint: {words}"
        return Interrupted("stopped at once", why="what the last checkpoint holds can be resumed", hint=hint)
    _maybe_trace()
    if isinstance(error, NascliError):
        error.hint = error.hint or error.usual_hint.replace("COMMAND", (_called(arguments) or ["COMMAND"])[0])
        return error
    if isinstance(error, OSError):
        what, why = f"cannot use {error.filename or 'a file'}", error.strerror or str(error)
        return RunFailed(what, why=why, hint=RunFailed.usual_hint)
    return (
        torch_error(error)
        or users_error(error, words)
        or NascliError("a bug in nascli", why=f"{type(error).__name__}: {error}", hint=NascliError.usual_hint)
    )


def _maybe_trace() -> None:
    if out.verbose or os.environ.get("NASCLI_DEBUG"):
        traceback.print_exc()
