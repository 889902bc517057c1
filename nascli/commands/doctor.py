"""`nascli doctor`: whether this installation can work, for bug reports too."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from nascli.commands.checkup import Problem, check_environment, check_folder, check_packages, check_plugins
from nascli.commands.options import Json, Verbose
from nascli.console import out
from nascli.errors import UsageError

EXAMPLES = ("nascli doctor", "nascli doctor --json > doctor.json")


def doctor(
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Check versions, packages that do not fit each other, devices, plugins, disk and environment variables.

    Exits with 2 if stages cannot run, with 0 otherwise, warnings or not.
    """
    out.speak(json, verbose=verbose)
    packages, problems = check_packages()
    facts: dict[str, Any] = dict(packages)
    for name, (found, wrong) in {
        "plugins": check_plugins(),
        "disk": check_folder(Path.cwd()),
        "environment": check_environment(),
    }.items():
        facts[name] = found
        problems += wrong
    if json:
        out.json({**facts, "problems": [vars(problem) for problem in problems]})
    else:
        _show(facts, problems)
    if any(problem.fatal for problem in problems):
        raise typer.Exit(UsageError.exit_code)


def _show(facts: dict[str, Any], problems: Iterable[Problem]) -> None:
    versions = [[name, found or "not installed"] for name, found in facts["versions"].items()]
    out.table("versions", ["package", "version"], versions)
    out.table("here", ["", "value"], [*_devices(facts["devices"]), *_surroundings(facts)])
    rows = [["error" if p.fatal else "warning", f"{p.what}\n{p.why}".strip(), p.hint] for p in problems]
    if rows:
        out.table("problems", ["", "what", "what to do"], rows)
    else:
        out.text("all is well")


def _devices(devices: dict[str, Any]) -> list[list[object]]:
    if not devices:
        return [["devices", "unknown: torch cannot be imported"]]
    gpus = [f"{gpu['name']}, {gpu['memory_gib']} GiB" for gpu in devices["cuda"]]
    build = f"for CUDA {devices['cuda_build']}" if devices["cuda_build"] else "without"
    return [
        ["cpu threads of torch", devices["cpu_threads"]],
        ["cuda", "; ".join(gpus) or f"none (torch is built {build})"],
        ["mps", devices["mps"]],
    ]


def _surroundings(facts: dict[str, Any]) -> list[list[object]]:
    plugins, disk = facts["plugins"], facts["disk"]
    return [
        ["stages", ", ".join(plugins["stages"])],
        ["components", plugins["components"]],
        ["folder", f"{disk['folder']} ({'writable' if disk['writable'] else 'read-only'})"],
        ["free disk", f"{disk['free_gib']} GiB"],
        *([name, value] for name, value in sorted(facts["environment"].items())),
    ]
