"""What starts fast stays fast: help pages, and whatever a component's entry point names, import nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from typing import Any

import pytest
import typer

from nascli.cli import build_app
from nascli.component import KINDS
from nascli.stage import stage_names

HEAVY = {
    "torch", "torchvision", "h5py", "onnx", "onnxruntime", "lightning", "lightning_fabric", "PIL",
    "matplotlib", "jinja2", "ray",
}  # fmt: skip

EVERY = {
    "--config", "-c", "--set", "--out", "-o", "--resume", "--force", "--skip-if-current", "--dry-run", "--json",
    "--quiet", "-q", "--verbose", "-v", "--search-space",
}  # fmt: skip
TASK = {"--dataflow", "--training-agent", "--accelerator", "--devices", "--num-nodes", "--precision"}
TRAINS = TASK | {"--criterion", "--teacher", "--teacher-space", "--epochs", "--seed"}
FLAGS = {
    "build-lut": EVERY | {"--lut"},
    "train-supernet": EVERY | TRAINS | {"--training-strategy", "--lut", "--constraint", "--margin"},
    "search": EVERY
    | TASK
    | {"--lut", "--supernet", "--generator", "--search-strategy", "--evaluator", "--executor"}
    | {"--constraint", "--margin", "--seed"},
    "retrain": EVERY | TRAINS | {"--arch", "--init"},
    "evaluate": EVERY | TASK | {"--model", "--lut"},
}


def commands(only: list[str] | None = None) -> dict[str, Any]:
    """All commands by name, or one."""
    found: dict[str, Any] = typer.main.get_command(build_app(only)).commands  # type: ignore[attr-defined]
    return found


def imported(code: str) -> set[str]:
    """The heavy modules that are there after `code` ran in a process of its own."""
    script = f"{code}\nimport sys\nprint('\\nHEAVY', *({HEAVY!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.rpartition("HEAVY")[2].split())


def test_the_pipeline_has_its_stages_in_order() -> None:
    assert stage_names() == ["build-lut", "train-supernet", "search", "retrain", "evaluate"]


@pytest.mark.parametrize("name", FLAGS)
def test_the_flags_of_a_stage_are_these_and_no_more(name: str) -> None:
    """Everything else is a key of the configuration; a new flag needs a reason, and a line here."""
    options = commands([name])[name].params
    assert {text for option in options for text in (*option.opts, *option.secondary_opts)} == FLAGS[name]


def test_all_stages_and_the_commands_beside_them_are_there() -> None:
    assert {*FLAGS, "inspect", "list"} <= set(commands())


@pytest.mark.parametrize("name", commands())
def test_every_command_shows_tracebacks_when_asked(name: str) -> None:
    (found,) = [option for option in commands([name])[name].params if option.name == "verbose"]
    assert (found.opts, found.help) == (["--verbose", "-v"], "Show tracebacks.")


@pytest.mark.parametrize("name", ["", *commands()])
def test_help_imports_nothing_heavy(name: str) -> None:
    words = [*name.split(), "--help"]
    assert imported(f"from nascli.cli import run\nassert run({words!r}) == 0") == set()


def test_listing_components_imports_nothing_heavy() -> None:
    assert imported("from nascli.cli import run\nassert run(['list']) == 0") == set()


@pytest.mark.parametrize("words", [["--set", "epoch=3"], ["--search-space", "tny"], ["--epochs", "many"], []])
def test_a_wrong_command_line_is_refused_before_torch_is_imported(words: list[str]) -> None:
    command = ["train-supernet", *words, *(["-o", "x.pt"] if words else [])]
    assert imported(f"from nascli.cli import run\nassert run({command!r}) == 2") == set()


def test_the_check_sees_what_is_imported() -> None:
    assert imported("import h5py") == {"h5py"}


def test_modules_of_entry_points_import_nothing_heavy() -> None:
    names = {point.module for group in ("stages", *KINDS) for point in entry_points(group=f"nascli.{group}")}
    assert {"stages.search", "nascli.search_space.tiny", "nascli.cost.macs"} <= names
    bases = {base.partition(":")[0] for base in KINDS.values()}
    assert imported("\n".join(f"import {name}" for name in sorted(names | bases))) == set()
