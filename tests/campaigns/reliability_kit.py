"""What the reliability campaigns share: the six stages at a small size, whether files are whole, a log of results."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nascli.artifacts.base import FORMATS, read_header
from nascli.commands.opening import open_any
from nascli.errors import NascliError

YAML = """
search_space: {use: tiny, input_shape: [1, 8, 8], classes: 10, width: 4}
dataflow: {use: digits, batch_size: 32, valid_share: 0.2}
constraint: ['macs<=3e5']
threads: 1
build_lut: {meters: [macs, params]}
train_supernet: {epochs: 2, checkpoint_steps: 5}
search:
  search_strategy: {use: evolution, population: 8, parents: 4}
  evaluator: {use: supernet, calibration_images: 128}
  max_evaluations: 24
  checkpoint_minutes: 0.002
retrain: {epochs: 2, checkpoint_steps: 5}
"""


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """The options that all campaigns over several things have."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--only", default="", help="those whose names hold this")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, default=None, help="each result as a line of JSON, as it comes")
    return parser


@dataclass(frozen=True)
class Work:
    """A stage of the chain: its command line without output and config, the file or folder it makes."""

    words: str
    out: str
    resumes: bool = True

    @property
    def name(self) -> str:
        """The command."""
        return self.words.split()[0]

    def command(self, out: Path, *more: str) -> list[str]:
        """The command line that writes `out`; paths of inputs are relative to the folder of the chain."""
        return [sys.executable, "-m", "nascli", *shlex.split(self.words), "-c", "run.yaml", "-q", "-o", str(out), *more]


WORKS = (
    Work("build-lut", "lut.h5"),
    Work("train-supernet", "supernet.pt"),
    Work("search --lut lut.h5 --supernet supernet.pt", "arch.npy"),
    Work("retrain --arch arch.npy", "model.pt"),
    Work("evaluate --model model.pt --lut lut.h5", "report.json"),
    Work(
        "compare --lut lut.h5 --supernet supernet.pt --strategy evolution --seeds 1 --max-evaluations 12",
        "compared",
        resumes=False,
    ),
)


# Counts the calls that write for good, before and after each; at one of them the process is killed, or it and all that
# follow fail (EIO), or nothing can be opened for writing, made or removed any more (EROFS).
SITE = """
import atexit, errno, io, os, signal
kill, fail, readonly = (int(os.environ.get(name, "0")) for name in ("KILL_AT", "FAIL_AT", "READONLY_AT"))
calls = 0

def passed():
    global calls
    calls += 1
    if calls == kill:
        os.kill(os.getpid(), signal.SIGKILL)

def refuse():
    if readonly and calls >= readonly:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

def refused(call):
    def refusing(*args, **kwargs):
        refuse()
        return call(*args, **kwargs)
    return refusing

def opened(file, mode="r", *args, **kwargs):
    if set(mode) & set("wax+"):
        refuse()
    return plain(file, mode, *args, **kwargs)

def counted(call):
    def counting(*args, **kwargs):
        passed()
        if fail and calls >= fail:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        refuse()
        result = call(*args, **kwargs)
        passed()
        return result
    return counting

for name in ("fsync", "replace"):
    setattr(os, name, counted(getattr(os, name)))
for name in ("mkdir", "unlink", "rmdir"):
    setattr(os, name, refused(getattr(os, name)))
plain, io.open = io.open, opened
if "CALLS" in os.environ:
    atexit.register(lambda: open(os.environ["CALLS"], "w").write(str(calls)))
"""


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """One thread, and this checkout whatever is installed."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2]), **(more or {})}


def artifact_paths(folder: Path) -> list[Path]:
    """All artifacts below a folder, those of run folders too; temporary files (they begin with a dot) are none."""
    found = (path for path in folder.rglob("*") if path.suffix in FORMATS and path.is_file() and path.name[0] != ".")
    return sorted(path for path in found if path.name != "run.json")


def unwhole(folder: Path) -> list[str]:
    """What is wrong with the files below a folder: artifacts that cannot be read whole, lines that are cut."""
    wrong = []
    for path in artifact_paths(folder):
        try:
            artifact = open_any(path)
            artifact.check_file()
            _ = artifact.payload
        except NascliError as error:
            wrong.append(error.what)
    for path in folder.rglob("run.json"):
        if not _parses(path.read_text()):
            wrong.append(f"{path}: cut")
    return wrong


def _parses(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def digests(folder: Path) -> dict[str, str]:
    """File → digest of every finished artifact below a folder."""
    done = [path for path in artifact_paths(folder) if path.parent.suffix != ".run"]
    return {str(path.relative_to(folder)): read_header(path).digest for path in done}


def leftovers(folder: Path) -> list[str]:
    """Temporary files and checkpoints below a folder, which no finished run leaves."""
    return [str(path.relative_to(folder)) for path in (*folder.rglob(".*.tmp"), *folder.rglob("*.run/last.*"))]


@dataclass(frozen=True)
class Reference:
    """A stage that ran without disturbance.

    Args:
        chain: the folder that its inputs and its result lie in.
        digests: of all that it made.
        took: seconds.
        first: seconds until its first file.
        calls: how often it came before or behind a call that writes for good.
        size: bytes of all that it made.
    """

    work: Work
    chain: Path
    digests: Mapping[str, str]
    took: float
    first: float
    calls: int
    size: int

    def start(self, folder: Path, *more: str, **env: object) -> subprocess.Popen[str]:
        """The stage in the background, with its result in `folder`."""
        told = {"PYTHONPATH": f"{self.chain / 'site'}:{environment()['PYTHONPATH']}"}
        return subprocess.Popen(
            self.work.command(folder / self.work.out, *more),
            cwd=self.chain,
            env=environment(told | {name: str(value) for name, value in env.items()}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def again(self) -> tuple[str, ...]:
        """The options with which it goes on."""
        return ("--resume", "--force") if self.work.resumes else ()


def references(chain: Path) -> Iterator[Reference]:
    """The stages in order, each run once in a folder."""
    (chain / "run.yaml").write_text(YAML)
    (chain / "site").mkdir(parents=True)
    (chain / "site/sitecustomize.py").write_text(SITE)
    for work in WORKS:
        yield _reference(work, chain)


def _reference(work: Work, chain: Path) -> Reference:
    folder, first, begun = chain / "made", 0.0, time.monotonic()
    process = Reference(work, chain, {}, 0, 0, 0, 0).start(folder, CALLS=chain / "calls")
    while process.poll() is None:
        time.sleep(0.01)
        first = first or (time.monotonic() - begun if folder.exists() else 0.0)
    took = time.monotonic() - begun
    if process.returncode:
        raise SystemExit(f"{work.name}: {process.stderr.read() if process.stderr else ''}")
    found, size = digests(folder), sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    calls = int((chain / "calls").read_text())
    for path in folder.iterdir():
        if path.suffix != ".run":
            path.rename(chain / path.name)
    shutil.rmtree(folder)
    return Reference(work, chain, found, took, first, calls, size)


class Log:
    """Results, one JSON object a line, written as they come."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def add(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Append a row; the row."""
        if self._path is not None:
            with self._path.open("a") as stream:
                stream.write(json.dumps(row) + "\n")
        return dict(row)
