"""Processes that are killed, interrupted, run twice at once, or compute what is no number."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tests.campaigns.fault_kit import RETRAIN, TRAIN, Case, Tried, child, launched

KILLS = 50

WRITER = """
import os, random, signal, sys, time
from pathlib import Path
from nascli.commands.opening import open_any

rng, interrupted = random.Random(0), 0
for name in ("old.h5", "old.npy", "old.json", "old.pt"):
    path = Path("written") / name
    path.parent.mkdir(exist_ok=True)
    artifact = open_any(Path(name))
    _ = artifact.payload
    artifact.write(path)
    for _ in range(int(sys.argv[1])):
        writer = os.fork()
        while not writer:
            summary = {**artifact.header.summary, "round": rng.random()}
            artifact.header = artifact.header.model_copy(update={"summary": summary})
            artifact.write(path)
        time.sleep(rng.uniform(0.005, 0.03))
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        interrupted += bool(list(path.parent.glob(".*.tmp")))
        _ = open_any(path).payload
    artifact.write(path)
    left = [*path.parent.glob(".*")]
    if left:
        sys.exit(f"left behind: {left}")
print(interrupted)
"""


def killed_writers(folder: Path) -> list[Tried]:
    """Writers of each format killed again and again; after each kill the file is read whole."""
    return [launched(folder, [sys.executable, "-c", WRITER, str(KILLS)])] * (4 * KILLS)


def some_interrupted(folder: Path, tried: Sequence[Tried]) -> str:
    """What to say if no kill came in the middle of a write."""
    return "" if int(tried[0].stdout or 0) > KILLS // 10 else f"only {tried[0].stdout} kills hit a write"


@contextlib.contextmanager
def running(folder: Path, line: str, sign: str) -> Iterator[subprocess.Popen[str]]:
    """A stage in the background, from the moment on that `sign` stands in the log of its run."""
    command = [sys.executable, "-m", "nascli", *line.split()]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + 60
        while not any(sign in log.read_text() for log in folder.glob("*.run/log.jsonl")):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"nascli {line}: ended before it could be disturbed")
            time.sleep(0.01)
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> Tried:
    """What came of a stage in the background; its peak memory as the kernel last had it."""
    status = Path(f"/proc/{process.pid}/status").read_text() if process.poll() is None else ""
    peak = next((int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")), None)
    _, stderr = process.communicate(timeout=60)
    return Tried(process.returncode, "", stderr, peak)


LONG = "train-supernet -c run.yaml --epochs 5 --set dataflow.batch_size=16 -o"


def stopped(*signals: signal.Signals) -> Callable[[Path], list[Tried]]:
    """A training stopped in the middle of an epoch."""

    def act(folder: Path) -> list[Tried]:
        with running(folder, f"{LONG} new.pt", '"start"') as process:
            time.sleep(0.5)
            for number in signals:
                process.send_signal(number)
            return [ended(process)]

    return act


def as_uninterrupted(folder: Path, tried: object) -> str:
    """What differs between the stopped run, resumed, and one that was not stopped."""
    from nascli.artifacts.base import read_header

    resumed = child(folder, [*LONG.split(), "new.pt", "--resume"])
    whole = child(folder, [*LONG.split(), "whole.pt"])
    if resumed.code or whole.code:
        return f"exit codes {resumed.code} and {whole.code}: {resumed.stderr[-300:]}"
    digests = {read_header(folder / name).digest for name in ("new.pt", "whole.pt")}
    return "" if len(digests) == 1 else "the resumed run gives another digest"


def two_writers(folder: Path) -> list[Tried]:
    """A second process on the output of a living one; once that is killed, the output is free."""
    with running(folder, f"{LONG} new.pt", '"start"') as process:
        second = child(folder, [*LONG.split(), "new.pt", "--force"])
        process.kill()
    third = child(folder, ["train-supernet", "-c", "run.yaml", "-o", "new.pt", "--force"])
    return [second] if third.code == 0 else [second, third]


DIVERGE = "--set learning_rate=1e30 --set clip_grad=null --epochs 3 --set warmup_epochs=0"

CASES = [
    Case("SIGKILL in the middle of a write", code=0, act=killed_writers, after=some_interrupted, slow=True,
         makes=[f"written/{name}" for name in ("old.h5", "old.npy", "old.json", "old.pt")]),
    Case("Ctrl-C in the middle of an epoch", code=130, says=["--resume"], act=stopped(signal.SIGINT),
         after=as_uninterrupted, slow=True),
    Case("SIGTERM in the middle of an epoch", code=130, says=["--resume"], act=stopped(signal.SIGTERM),
         after=as_uninterrupted, slow=True),
    Case("Ctrl-C twice", code=130, act=stopped(signal.SIGINT, signal.SIGINT), slow=True),
    Case("two processes on one output", says=["in use by process"], act=two_writers, makes=["new.pt"], slow=True),
    Case(
        "loss not finite", [f"{TRAIN} {DIVERGE}", f"{RETRAIN} {DIVERGE}"], 5,
        ["not finite at step", "learning rate 9.9"],
    ),
]  # fmt: skip
