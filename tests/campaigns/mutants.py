"""Mutation testing of `artifacts/`, `cost/`, `config.py`, `document.py` by mutmut: changes that no test notices.

    pip install mutmut; nox -s reliability -- mutants [--sample 200] [--minutes 60] [--seed 0] [--log FILE]

A copy of the repository is mutated: a seeded sample of what mutmut makes, each against the tests that run the changed
function. Functions with decorators and what stands outside functions are not changed by mutmut. Prints the survivors
as differences, to be looked at: exits 1 only if mutmut could not work.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nascli.console import out
from tests.campaigns.fault_kit import ROOT
from tests.campaigns.reliability_kit import Log, environment

SETTINGS = """
[tool.mutmut]
source_paths = ["nascli"]
only_mutate = ["nascli/artifacts/*", "nascli/config.py", "nascli/document.py", "nascli/cost/*"]
also_copy = ["stages", "examples", "docs", "noxfile.py", "README.md"]
pytest_add_cli_args_test_selection = ["tests/artifacts", "tests/cost", "tests/test_config.py", "tests/test_document.py"]
pytest_add_cli_args = [
  "--deselect=tests/artifacts/test_golden.py",  # runs all formats for every mutant
  "--deselect=tests/artifacts/test_loading_calls.py",  # reads the source
  "--deselect=tests/cost/test_peak_memory.py",  # looks at the stack
  "-p", "no:xdist",
]
process_isolation = "forkserver"
use_git_change_detection = false
"""
FIRST = "nascli.config.x_closest__mutmut_1"


def copied(folder: Path) -> None:
    """The files of the working tree that git knows, and mutmut's settings."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout.decode()
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    with (folder / "pyproject.toml").open("a") as stream:
        stream.write(SETTINGS)


def mutmut(folder: Path, *words: str, seconds: float) -> tuple[int, str]:
    """Exit code and output of a command of mutmut; 124 where the time ran out."""
    program = str(Path(sys.executable).parent / "mutmut")
    command = [program] if Path(program).exists() else [sys.executable, "-c", "from mutmut.__main__ import cli; cli()"]
    env = environment()
    env.pop("PYTHONPATH")  # the copy, not the checkout
    try:
        done = subprocess.run(
            [*command, *words], cwd=folder, env=env, timeout=seconds, check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return 124, "the time is up"
    return done.returncode, done.stdout


def results(folder: Path) -> Iterator[tuple[str, int | None]]:
    """Mutant → the exit code of its tests, None where they did not run."""
    for path in sorted((folder / "mutants").rglob("*.meta")):
        yield from json.loads(path.read_text())["exit_code_by_key"].items()


def main(words: list[str]) -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, default=None)
    told = parser.parse_args(words)
    log = Log(told.log)
    with tempfile.TemporaryDirectory(prefix="nascli-mutants-") as name:
        folder = Path(name)
        copied(folder)
        code, text = mutmut(folder, "run", "--max-children", "1", FIRST, seconds=60 * told.minutes)
        if code:
            out.text(f"mutmut could not work: {text[-3000:]}")
            return 1
        known = sorted(mutant for mutant, _ in results(folder))
        sample = random.Random(told.seed).sample(known, min(told.sample, len(known)))
        mutmut(folder, "run", "--max-children", "1", *sample, seconds=60 * told.minutes)
        found = {mutant: code for mutant, code in results(folder) if mutant in sample}
        counts = Counter(_verdict(code) for code in found.values())
        for mutant in sorted(mutant for mutant, code in found.items() if _verdict(code) != "killed"):
            _, difference = mutmut(folder, "show", mutant, seconds=60)
            log.add({"mutant": mutant, "verdict": _verdict(found[mutant]), "difference": difference})
            out.text(f"{_verdict(found[mutant])}: {difference}")
    log.add({"mutants": len(known), "sample": len(sample), **counts})
    out.text(f"{len(known)} mutants, a sample of {len(sample)}: {dict(counts)}")
    return 0


def _verdict(code: int | None) -> str:
    """What the exit code of a mutant's tests says; mutmut gives 5 and 33 where no test runs the function."""
    known = {0: "survived", None: "not run", 2: "not run", 5: "no test runs it", 33: "no test runs it"}
    return known.get(code, "killed")
