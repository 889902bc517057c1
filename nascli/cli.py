"""The `nascli` command: finds the stages, keeps their order, turns errors into exit codes."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from nascli import __version__
from nascli.commands.inspect import inspect
from nascli.commands.list import list_components
from nascli.commands.stage_command import add_stage
from nascli.console import out
from nascli.errors import Interrupted, NascliError, UsageError
from nascli.stage import installed_stages

HELP = """One-shot neural architecture search, a command per stage and a file per result.

Exit codes: 0 done, 1 a bug, 2 usage or configuration, 3 an artifact is missing, broken or does not fit,
4 no architecture meets the constraint, 5 the run failed, 130 interrupted (go on with --resume).
"""


def _version(value: bool) -> None:
    if value:
        out.text(f"nascli {__version__}")
        raise typer.Exit


def build_app() -> typer.Typer:
    """The command line with all installed stages; imports neither torch nor h5py."""
    app = typer.Typer(
        no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="rich", add_completion=True
    )

    @app.callback(help=HELP)
    def root(
        version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
    ) -> None:
        pass

    for plugin in installed_stages():
        add_stage(app, plugin)
    app.command("inspect", rich_help_panel="Inspect")(inspect)
    app.command("list", rich_help_panel="Inspect")(list_components)
    return app


def main() -> None:
    """Run the command line and exit with the code of the cause."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line on `arguments`; the exit code."""
    try:
        code = build_app()(arguments, prog_name="nascli", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except NascliError as error:
        _maybe_raise()
        out.error(error)
        return error.exit_code
    except typer.TyperException as error:
        out.error(UsageError(error.format_message(), hint=f"nascli {_command(arguments)}--help"))
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        out.error(Interrupted("stopped at once", why="what the last checkpoint holds can be resumed"))
        return Interrupted.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        _maybe_raise()
        why = f"{type(error).__name__}: {error}"
        out.error(NascliError("a bug in nascli", why=why, hint="NASCLI_DEBUG=1 shows where; please report it"))
        return 1


def _maybe_raise() -> None:
    if out.verbose or os.environ.get("NASCLI_DEBUG"):
        raise


def _command(arguments: list[str]) -> str:
    return f"{arguments[0]} " if arguments and not arguments[0].startswith("-") else ""
