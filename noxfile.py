"""Checks and tests. Sessions run in the environment that runs nox: torch is too large to install again and again."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["check", "tests", "examples", "package"]
nox.options.error_on_missing_interpreters = True

ROOT = Path(__file__).parent
RUNNERS = ("pytest", "pytest-timeout", "pytest-xdist", "hypothesis", "hatchling", "ruff")
LIGHT = ("typer", "pydantic", "rich", "numpy", "PyYAML")


def python(session: nox.Session, *arguments: str, **env: str) -> None:
    session.run(sys.executable, *arguments, env={**os.environ, **env}, external=True)


@nox.session
def check(session: nox.Session) -> None:
    """Lint, format, types, import contracts."""
    python(session, "-m", "ruff", "check", ".")
    python(session, "-m", "ruff", "format", "--check", ".")
    python(session, "-m", "mypy")
    session.run(str(Path(sys.executable).parent / "lint-imports"), external=True)


@nox.session
def tests(session: nox.Session) -> None:
    """All tests but the benchmarks."""
    python(session, "-m", "pytest", "-n", "2", "--dist", "loadscope", *session.posargs, OMP_NUM_THREADS="1")


@nox.session
def examples(session: nox.Session) -> None:
    """The quickstart and its report, spaces of one's own and tasks of one's own, as their users run them."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        env = {**os.environ, "PATH": path, "VIRTUAL_ENV": sys.prefix, "SKIP_INSTALL": "1"}
        for name in ("quickstart", "custom_space", "my_model", "multi_label", "segmentation"):
            session.run("bash", f"examples/{name}.sh", f"{folder}/{name}", env=env, external=True)
        session.run("bash", "examples/report.sh", f"{folder}/quickstart", env=env, external=True)


@nox.session
def package(session: nox.Session) -> None:
    """The wheel in an empty environment outside the checkout: `nascli --help` with its light dependencies alone."""
    with tempfile.TemporaryDirectory() as folder:
        python(session, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, str(ROOT))
        wheel = str(next(Path(folder).glob("*.whl")))
        python(session, "-m", "venv", f"{folder}/venv")
        pip = f"{folder}/venv/bin/pip"
        session.run(pip, "install", "-q", *LIGHT, external=True)
        session.run(pip, "install", "-q", "--no-deps", wheel, external=True)
        session.chdir(folder)
        for command in ((), ("search",), ("inspect",)):
            session.run(f"{folder}/venv/bin/nascli", *command, "--help", external=True, silent=True)
        session.run(f"{folder}/venv/bin/nascli", "list", "search-space", external=True)


@nox.session
def bench_scoring(session: nox.Session) -> None:
    """By hand, on a quiet machine: what each measure saves in scoring recorded populations."""
    python(session, "-m", "tests.benchmarks.scoring", *session.posargs)


@nox.session
def bench_samplers(session: nox.Session) -> None:
    """By hand, on a quiet machine: samples, tables, totals and answers of feasible sets a second."""
    python(session, "-m", "tests.benchmarks.samplers", *session.posargs, OMP_NUM_THREADS="1")


@nox.session
def bench_scaling(session: nox.Session) -> None:
    """By hand, on a quiet machine: what two processes gain, and what they exchange."""
    python(session, "-m", "tests.benchmarks.scaling", *session.posargs, OMP_NUM_THREADS="1")


@nox.session
def acceptance(session: nox.Session) -> None:
    """By hand, on an idle machine: all that takes less than ten minutes a command, as one table; about an hour."""
    python(session, "tests/campaigns/acceptance.py", *session.posargs)


@nox.session
def reliability(session: nox.Session) -> None:
    """By hand: fuzz, kills, disk, twins, mutants or chain; what docs/reliability.md tells of."""
    python(session, "tests/campaigns/reliability.py", *session.posargs)


@nox.session
def ray_trials(session: nox.Session) -> None:
    """By hand: searches whose candidates are trials of a local Ray, with workers killed and searches stopped."""
    python(session, "tests/campaigns/ray_trials.py", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """By hand: every bad input and fault that must be survived, in processes of their own, as a table."""
    python(session, "tests/campaigns/faults.py", *session.posargs)


@nox.session
def nasbench_macro(session: nox.Session) -> None:
    """By hand: NAS-Bench-Macro, all counts and the regret of the search strategies."""
    python(session, "tests/campaigns/nasbench_macro.py", *session.posargs)


@nox.session
def spaces(session: nox.Session) -> None:
    """By hand: all stages through the command line for every installed search space, at a small size."""
    python(session, "tests/campaigns/spaces.py", *session.posargs)


@nox.session
def strategies(session: nox.Session) -> None:
    """By hand: a few steps with every training strategy on several kinds of spaces."""
    python(session, "tests/campaigns/strategies.py", *session.posargs)


@nox.session
def fidelity(session: nox.Session) -> None:
    """By hand: how well supernets rank a small space whose truth is known; the tables of docs/fidelity.md."""
    python(session, "tests/campaigns/fidelity.py", *session.posargs)


@nox.session
def constraints(session: nox.Session) -> None:
    """By hand: searches under twelve constraints, from very tight to none, with every strategy."""
    python(session, "tests/campaigns/constraints.py", *session.posargs)


@nox.session
def faces(session: nox.Session) -> None:
    """By hand: face recognition end to end on generated faces, angular and triplet criteria, several seeds."""
    python(session, "tests/campaigns/faces.py", *session.posargs)


@nox.session
def latency(session: nox.Session) -> None:
    """By hand, on an idle machine: latency tables against whole networks, and against themselves."""
    python(session, "tests/campaigns/latency.py", *session.posargs, OMP_NUM_THREADS="1")


@nox.session
def scaffolds(session: nox.Session) -> None:
    """By hand: every kind scaffolded in an empty folder, its test, all stages with it, the lineage."""
    python(session, "tests/campaigns/scaffolds.py", *session.posargs)


@nox.session
def bench_training(session: nox.Session) -> None:
    """By hand: speed and memory of supernet training, as one table."""
    python(session, "-m", "tests.benchmarks.training", *session.posargs)


@nox.session(venv_backend="venv", reuse_venv=True)
def tests_min(session: nox.Session) -> None:
    """By hand: tests with the lowest versions that pyproject.toml allows, in an environment of their own of some GB.

    All of them, or those named: nox -s tests_min -- tests/artifacts tests/export.
    """
    project = nox.project.load_toml("pyproject.toml")["project"]
    constraints = Path(session.create_tmp()) / "lowest.txt"
    constraints.write_text("\n".join(lowest(project)) + "\n")
    session.install("-c", str(constraints), "-e", ".[all]", *RUNNERS)
    session.run("python", "-m", "pip", "check")
    session.run(
        "python", "-m", "pytest", "-n", "2", "--dist", "loadscope", *session.posargs, env={"OMP_NUM_THREADS": "1"}
    )


def lowest(project: Mapping[str, Any]) -> list[str]:
    """Each dependency of a project but those of its developers, pinned to its lower bound."""
    groups = [items for name, items in project["optional-dependencies"].items() if name not in ("all", "dev")]
    every = [*project["dependencies"], *(item for items in groups for item in items)]
    return [item.replace(">=", "==") for item in every]


@nox.session
def sizes(session: nox.Session) -> None:
    """By hand: sizes of files and functions, docstrings and annotations, beside those of other code bases."""
    python(session, "tests/campaigns/sizes.py", *session.posargs)
