"""What nascli promises, one check after another: its command, exit code, last words and minutes, as one table.

    nox -s acceptance [-- --only WORDS …] [--markdown FILE]

Some are timed: leave the machine alone meanwhile. A check fails if its exit code or its output is not what it must be;
what fails is told with the end of its output. What takes more than ten minutes a command is not here: `nox --list`.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from nascli.console import out

ROOT = Path(__file__).parents[2]
COLUMNS = ("step", "command", "exit", "minutes", "said")
END = 600
"""Characters of the output of a failed check that are told."""


@dataclass(frozen=True)
class Check:
    """A command of a shell, and what it must end with.

    Args:
        step: the step of the pipeline's making that it belongs to.
        command: run in the root of the repository; $OUT is a folder that all checks share.
        says: a pattern that some line of its output must hold; what the last of these holds of it is shown.
        code: the exit code.
        never: a pattern that no line may hold.
        shown: how many matches are shown, the last ones.
    """

    step: int
    command: str
    says: str
    code: int = 0
    never: str = r"\bmissed\b"
    shown: int = 1


@dataclass(frozen=True)
class Result:
    """What a check did; `complaint` is empty where it did what it must."""

    check: Check
    code: int
    seconds: float
    said: tuple[str, ...]
    complaint: str

    def row(self) -> tuple[str, ...]:
        """The check's row of the table."""
        said = f"FAILED: {self.complaint}" if self.complaint else "; ".join(self.said)
        return (str(self.check.step), self.check.command, str(self.code), f"{self.seconds / 60:.1f}", said)


NASCLI = "nascli search -c examples/quickstart.yaml --lut $OUT/lut.h5 --supernet $OUT/supernet.pt"
CHECKS = (
    Check(1, "SKIP_INSTALL=1 bash examples/quickstart.sh $OUT", r"top1\W+[\d.]+|^\W*report\.json.*", shown=2),
    Check(
        1,
        "nox -s reliability -- kills --kills 5 --writes 2",
        r"(build-lut|train|search|retrain|evaluate|compare).*\d",
        shown=6,
    ),
    Check(1, f"{NASCLI} --constraint 'macs<=1' -o $OUT/a.npy", r"(error|hint): .*", code=4, shown=2),
    Check(1, "python -m pytest tests/test_lazy.py", r"\d+ passed"),
    Check(1, "nox -s nasbench_macro -- --strategies evolution", r"params equal.*|violated.*|evolution: .*", shown=3),
    Check(2, "nox -s faults", r"\d+ faults, .*"),
    Check(2, "SKIP_INSTALL=1 bash examples/quickstart.sh $OUT", r"kept.*", shown=5),
    Check(3, "nascli list search-space --costs", r"\w+ +│ +\d+×.*"),
    Check(3, "nox -s spaces", r"\d+ spaces, 0 failed"),
    Check(3, "nox -s examples", r"Session examples was successful"),
    Check(3, "python -m pytest tests/test_examples_python.py", r"\d+ passed"),
    Check(4, "nox -s strategies", r"\d+ trainings, 0 wrong"),
    Check(5, "nox -s bench_samplers", r"\| .*\bmet\b"),
    Check(5, "nox -s constraints", r"Kendall.*|broken.*|.*repaired", shown=3),
    Check(6, "nox -s latency -- --backends onnxruntime --tolerance 0.005", r"\bmet\b.*"),
    Check(7, "nox -s scaffolds", r"\d+ scaffolds, 0 failed"),
    Check(7, "nox -s faces", r"\d+ runs, 0 not.*"),
    Check(8, "python -m pytest tests/test_ranks.py", r"\d+ passed"),
    Check(8, "nox -s bench_scaling", r"[\d.]+ \[.*n=\d+", shown=9),
    Check(8, "nox -s ray_trials", r".*equal to local: True", never="equal to local: False", shown=4),
    Check(9, "nox -s reliability -- disk", r"(build-lut|train|search|retrain|evaluate|compare).*\d", shown=6),
    Check(9, "nox -s reliability -- twins", r"(build-lut|train|search|retrain|evaluate|compare).*\d", shown=6),
    Check(9, "nox -s sizes", r"nascli .*"),
)


def tried(check: Check, folder: Path) -> Result:
    """Run a check."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "OUT": str(folder), "COLUMNS": "200", "VIRTUAL_ENV": sys.prefix}
    words, started = ["bash", "-c", check.command], time.monotonic()
    done = subprocess.run(
        words, check=False, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    seconds = time.monotonic() - started
    found = [_plain(match[0]) for match in re.finditer(check.says, done.stdout, re.MULTILINE)]
    return Result(check, done.returncode, seconds, tuple(found[-check.shown :]), _complaint(check, done, found))


def _complaint(check: Check, done: subprocess.CompletedProcess[str], found: Sequence[str]) -> str:
    end = f": {done.stdout[-END:]}"
    if done.returncode != check.code:
        return f"exit code {done.returncode}, wanted {check.code}{end}"
    if not found:
        return f"nothing said of {check.says}{end}"
    never = re.search(f".*{check.never}.*", done.stdout)
    return f"said {_plain(never[0])}" if never else ""


def _plain(text: str) -> str:
    """A line without the frame of its table."""
    return " ".join(re.sub(r"[│┃|]", " ", text).split())


def main() -> int:
    """Run the checks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[""], help="commands that hold one of these words")
    parser.add_argument("--markdown", type=Path, help="the table goes there, a row as it comes")
    told = parser.parse_args()
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        for check in CHECKS:
            if any(words in check.command for words in told.only):
                results.append(tried(check, Path(folder)))
                out.note(" | ".join(results[-1].row()))
                if told.markdown:
                    told.markdown.write_text(markdown(results), encoding="utf-8")
    failed = sum(bool(result.complaint) for result in results)
    out.table("acceptance", COLUMNS, [result.row() for result in results])
    out.text(f"{len(results)} checks, {failed} failed")
    return 1 if failed or not results else 0


def markdown(results: Sequence[Result]) -> str:
    """The table as a page shows it."""
    rows = [COLUMNS, tuple("---" for _ in COLUMNS), *(result.row() for result in results)]
    return "".join(f"| {' | '.join(_cell(text) for text in row)} |\n" for row in rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main())
