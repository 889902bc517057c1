"""What the fault campaign is made of: a case, the files that each starts from, how one is run and how it is judged."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]

YAML = """
search_space: {use: tiny, input_shape: [1, 8, 8], classes: 10, width: 4}
dataflow: {use: digits, batch_size: 128, valid_share: 0.2}
threads: 1
train_supernet: {epochs: 1}
search:
  search_strategy: {use: evolution, population: 4, parents: 2}
  evaluator: {use: supernet, calibration_images: 64, validation_images: 64}
  max_evaluations: 8
retrain: {epochs: 1}
"""

CHAIN = (
    "build-lut -c run.yaml -o lut.h5",
    "train-supernet -c run.yaml -o supernet.pt",
    "search -c run.yaml --lut lut.h5 --supernet supernet.pt -o arch.npy",
    "retrain -c run.yaml --arch arch.npy -o model.pt",
    "evaluate -c run.yaml --model model.pt --lut lut.h5 -o report.json",
)
OLD = {"old.h5": "lut.h5", "old.pt": "supernet.pt", "old.npy": "arch.npy", "old.json": "report.json"}

# Failing commands point -o at a file that exists: it must be there afterwards, byte for byte.
LUT = "build-lut -c run.yaml -o old.h5 --force"
TRAIN = "train-supernet -c run.yaml -o old.pt --force"
SEARCH = "search -c run.yaml --lut lut.h5 --supernet supernet.pt -o old.npy --force"
RETRAIN = "retrain -c run.yaml --arch arch.npy -o old.pt --force"
EVALUATE = "evaluate -c run.yaml --model model.pt -o old.json --force"

SECONDS = 120
MIB = 1000.0  # importing torch and torchvision takes 820, all else below 70


@dataclass(frozen=True)
class Tried:
    """What came of one command line; `mib` is the peak of its process, None where it ran in this one."""

    code: int
    stdout: str
    stderr: str
    mib: float | None = None


Runner = Callable[..., Tried]
"""runner(folder, words, env): one command line in a folder."""


def nothing(folder: Path) -> None:
    """Prepares nothing."""


@dataclass(frozen=True)
class Case:
    """One fault.

    Args:
        fault: its name, a row of the table.
        lines: command lines, each one try, run in a folder that holds the chain and what `prepare` adds to it.
        code: the exit code of each.
        says: words that each message holds.
        act: instead of `lines`, whatever has to happen; each result is judged like that of a line.
        after: looks at the folder and at what came; the complaint, or nothing.
        wrap: words before the command line, for a shell around it; then it needs a process of its own.
        makes: files that may be new or other than before.
        slow: not in the default tests.
    """

    fault: str
    lines: Sequence[str] = ()
    code: int = 3
    says: Sequence[str] = ()
    prepare: Callable[[Path], None] = nothing
    act: Callable[[Path], Sequence[Tried]] | None = None
    after: Callable[[Path, Sequence[Tried]], str] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    wrap: Sequence[str] = ()
    makes: Sequence[str] = ()
    mib: float = MIB
    slow: bool = False

    @property
    def alone(self) -> bool:
        """Whether it needs processes of its own."""
        return bool(self.act or self.env or self.wrap or self.slow)


@dataclass(frozen=True)
class Result:
    """How a case went; `wrong` is empty when all was as it must be."""

    case: Case
    tried: Sequence[Tried]
    kept: bool
    wrong: Sequence[str]

    @property
    def codes(self) -> str:
        """The exit codes that were found."""
        return ", ".join(map(str, sorted({one.code for one in self.tried})))

    @property
    def mib(self) -> float:
        """The highest peak of its processes."""
        return max((one.mib or 0.0 for one in self.tried), default=0.0)


LAUNCHER = """
import json, resource, subprocess, sys
report, seconds, *command = sys.argv[1:]
try:
    code = subprocess.run(command, timeout=float(seconds)).returncode
except subprocess.TimeoutExpired:
    code = 124
with open(report, "w") as stream:
    json.dump([code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024], stream)
"""


def child(folder: Path, words: Sequence[str], env: Mapping[str, str] | None = None, wrap: Sequence[str] = ()) -> Tried:
    """Run nascli in a process of its own, and read the peak memory of it."""
    return launched(folder, [*wrap, sys.executable, "-m", "nascli", *words], env)


def launched(
    folder: Path, command: Sequence[str], env: Mapping[str, str] | None = None, seconds: float = SECONDS
) -> Tried:
    """Run a command; exit code 124 where it takes longer than `seconds`.

    A launcher stands between: a process counts the memory of the one that started it among its own.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **(env or {})}
    with tempfile.NamedTemporaryFile() as report:
        launcher = [sys.executable, "-S", "-c", LAUNCHER, report.name, str(seconds), *command]
        done = subprocess.run(
            launcher, capture_output=True, cwd=folder, env=environment, stdin=subprocess.DEVNULL, check=True
        )
        code, mib = json.load(report)
    return Tried(code, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"), mib)


def in_process(folder: Path, words: Sequence[str], env: Mapping[str, str] | None = None) -> Tried:
    """Run nascli in this process: torch is imported once for all."""
    from nascli.cli import run
    from nascli.console import out

    out.mode, out.verbose = "human", False
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        code = run(list(words))
    out.mode, out.verbose = "human", False
    return Tried(code, stdout.getvalue(), stderr.getvalue())


def make_base(folder: Path, runner: Runner) -> Path:
    """The chain on digits, and copies of its results that failing commands must keep."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.yaml").write_text(YAML)
    for line in CHAIN:
        done = runner(folder, shlex.split(line))
        if done.code:
            raise SystemExit(f"nascli {line}: exit code {done.code}\n{done.stderr}")
    for run in folder.glob("*.run"):
        shutil.rmtree(run)
    for copy, source in OLD.items():
        shutil.copy(folder / source, folder / copy)
    return folder


def files(folder: Path) -> dict[str, str]:
    """The sha256 of every file, but those of run folders and named pipes."""
    found = (path for path in folder.rglob("*") if path.is_file() and ".run/" not in str(path))
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def run_case(case: Case, base: Path, folder: Path, runner: Runner = child) -> Result:
    """Run a case in a fresh copy of the chain, which is removed afterwards."""
    shutil.copytree(base, folder)
    try:
        case.prepare(folder)
        before = files(folder)
        tried = case.act(folder) if case.act else [_one(case, folder, line, runner) for line in case.lines]
        after = files(folder)
        kept = all(after.get(name) == digest for name, digest in before.items() if name not in case.makes)
        wrong = [complaint for one in tried for complaint in _judge(case, one)]
        wrong += [] if kept else ["a file that was there is gone or another"]
        wrong += [f"{name} is new" for name in after if name not in before and name not in case.makes]
        wrong += [told] if case.after and (told := case.after(folder, tried)) else []
        return Result(case, tried, kept, list(dict.fromkeys(wrong)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _one(case: Case, folder: Path, line: str, runner: Runner) -> Tried:
    if case.alone:
        return child(folder, shlex.split(line), case.env, case.wrap)
    return runner(folder, shlex.split(line))


def _judge(case: Case, tried: Tried) -> list[str]:
    """What is wrong with one result: the code, the three lines, the words in them, the memory."""
    wrong = [] if tried.code == case.code else [f"exit code {tried.code}: {tried.stderr[-300:]}"]
    if "Traceback" in tried.stderr or "Traceback" in tried.stdout:
        wrong.append("a traceback")
    if case.code not in (0, 141):
        lines = tried.stderr.splitlines()
        starts = [start for start in ("error: ", " hint: ") if not any(line.startswith(start) for line in lines)]
        wrong += [f"no line '{start.strip()}': {tried.stderr[-300:]}" for start in starts]
    wrong += [f"'{word}' is not said: {tried.stderr[-300:]}" for word in case.says if word not in tried.stderr]
    if tried.mib is not None and tried.mib > case.mib:
        wrong.append(f"{tried.mib:.0f} MiB, more than {case.mib:.0f}")
    return wrong
