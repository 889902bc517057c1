"""Kill every stage with SIGKILL again and again: no half file is ever there, and the results equal uninterrupted ones.

    nox -s reliability -- kills [--kills 34] [--writes 10] [--only STAGE] [--seed 0] [--log FILE]

`--kills` of each stage come at random moments: every fourth anywhere in the life of the process, the others after its
first file. `--writes` more hit the process where it replaces, flushes or removes a file. After each kill all files are
read whole; the process is started again with --resume. Exits 1 if a file is not whole or a digest differs.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nascli.console import out
from tests.campaigns.reliability_kit import WORKS, YAML, Log, Work, digests, environment, leftovers, unwhole

MOST = 4  # kills before a run is left to end
COLUMNS = ("stage", "kills", "at a write", "temporary file there", "resumed", "whole after each", "ends", "bit-equal")

# Kills the process before or after a certain call; without a number, counts the calls.
WRITES = """
import atexit, os, signal
wanted, calls = int(os.environ.get("KILL_AT", "0")), 0

def counted(call):
    def counting(*args, **kwargs):
        global calls
        calls += 1
        if calls == wanted:
            os.kill(os.getpid(), signal.SIGKILL)
        result = call(*args, **kwargs)
        calls += 1
        if calls == wanted:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return counting

for name in ("fsync", "replace", "unlink"):
    setattr(os, name, counted(getattr(os, name)))
if "CALLS" in os.environ:
    atexit.register(lambda: open(os.environ["CALLS"], "w").write(str(calls)))
"""


class Stage:
    """One stage, its uninterrupted result, and what came of the kills."""

    def __init__(self, work: Work, chain: Path, rng: random.Random, log: Log) -> None:
        self.work, self.chain, self.rng, self.log = work, chain, rng, log
        self.folder = chain / "killed"
        self.seen: Counter[str] = Counter()
        self.wrong: list[str] = []

    def start(self, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """The stage in the background, resuming what is there."""
        more = ("--resume",) if self.work.resumes else ()
        command = self.work.command(self.folder / self.work.out, *more)
        return subprocess.Popen(
            command, cwd=self.chain, env=environment(env), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    def reference(self) -> None:
        """Make the result without kills, count the calls that write, and see when the first file comes."""
        process, begun, self.first = (
            self.start({"PYTHONPATH": self.patched, "CALLS": str(self.chain / "calls")}),
            time.monotonic(),
            0.0,
        )
        while process.poll() is None:
            time.sleep(0.01)
            if not self.first and self.folder.exists():
                self.first = time.monotonic() - begun
        self.took = time.monotonic() - begun
        if process.wait():
            raise SystemExit(f"{self.work.name}: {process.stderr.read() if process.stderr else ''}")
        self.calls = int((self.chain / "calls").read_text())
        self.digests = digests(self.folder)
        for path in self.folder.iterdir():  # the inputs of the next stage
            if path.suffix != ".run" and not (self.chain / path.name).exists():
                path.rename(self.chain / path.name)
        shutil.rmtree(self.folder)

    @property
    def patched(self) -> str:
        """PYTHONPATH with the calls counted."""
        return f"{self.chain / 'site'}:{environment()['PYTHONPATH']}"

    def killed_once(self, moment: float | None, call: int = 0) -> bool:
        """Whether the process was killed: after `moment` seconds or at the `call`-th call; else it ended."""
        process = self.start({"PYTHONPATH": self.patched, "KILL_AT": str(call)} if call else None)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.kill()
        _, stderr = process.communicate()
        if process.returncode == -signal.SIGKILL:
            self.seen["kills"] += 1
            self.seen["at a write"] += bool(call)
            self.seen["temporary"] += bool(list(self.folder.rglob(".*.tmp")))
            self.note(unwhole(self.folder) if self.folder.exists() else [], "half a file")
            return True
        if process.returncode:
            done = digests(self.folder) == self.digests
            self.seen["killed after the result"] += done
            self.note([] if done else [stderr[-500:]], f"exit code {process.returncode}")
        return False

    def note(self, complaints: list[str], what: str) -> None:
        """Remember and log what is wrong."""
        self.wrong += [
            self.log.add({"stage": self.work.name, "wrong": f"{what}: {text}"})["wrong"] for text in complaints
        ]

    def ended(self) -> None:
        """Compare what a run through kills ended with, and remove it."""
        self.seen["ends"] += 1
        found = digests(self.folder)
        self.seen["equal"] += found == self.digests
        self.note([] if found == self.digests else [f"{found}, not {self.digests}"], "differs")
        if not self.seen["killed after the result"]:
            self.note(leftovers(self.folder), "left behind")
        for path in self.folder.rglob("log.jsonl"):
            self.seen["resumed"] += sum('"resume"' in line for line in path.read_text().splitlines())
        shutil.rmtree(self.folder)

    def run(self, kills: int, writes: int) -> dict[str, Any]:
        """All kills of this stage."""
        while self.seen["kills"] < kills:
            for _ in range(min(self.rng.randint(1, MOST), kills - self.seen["kills"])):
                begin = 0.0 if self.seen["kills"] % 4 == 0 else self.first
                if not self.killed_once(self.rng.uniform(begin, self.took)):
                    break
            else:
                while self.killed_once(None):
                    pass
            self.ended()
        for call in sorted(self.rng.sample(range(1, self.calls + 1), min(writes, self.calls))):
            while self.killed_once(None, call):
                call = 0
            self.ended()
        return self.log.add(
            {
                "stage": self.work.name,
                "took": round(self.took, 1),
                "first": round(self.first, 1),
                "calls": self.calls,
                **self.seen,
                "wrong": self.wrong,
            }
        )


def main(words: list[str]) -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=34)
    parser.add_argument("--writes", type=int, default=10)
    parser.add_argument("--only", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, default=None)
    told = parser.parse_args(words)
    rows = []
    with tempfile.TemporaryDirectory(prefix="nascli-kills-") as name:
        chain = Path(name)
        (chain / "run.yaml").write_text(YAML)
        (chain / "site").mkdir()
        (chain / "site/sitecustomize.py").write_text(WRITES)
        for i, work in enumerate(WORKS):
            stage = Stage(work, chain, random.Random(told.seed * 100 + i), Log(told.log))
            stage.reference()
            if told.only in work.name:
                rows.append(stage.run(told.kills, told.writes))
    out.table("SIGKILL", COLUMNS, [_shown(row) for row in rows])
    for row in rows:
        out.text("\n  ".join((f"{row['stage']}:", *row["wrong"]))) if row["wrong"] else None
    return 1 if any(row["wrong"] for row in rows) else 0


def _shown(row: Mapping[str, Any]) -> tuple[object, ...]:
    counts = (row.get(name, 0) for name in ("kills", "at a write", "temporary", "resumed"))
    whole = not any(text.startswith("half") for text in row["wrong"])
    return (row["stage"], *counts, whole, row.get("ends", 0), row.get("equal", 0))
