"""Kill every stage with SIGKILL again and again: no half file is ever there, and the results equal uninterrupted ones.

    nox -s reliability -- kills [--kills 34] [--writes 10] [--only STAGE] [--seed 0] [--log FILE]

`--kills` of each stage come at random moments: every fourth anywhere in the life of the process, the others after its
first file. `--writes` more come right before or behind a flush or a replacement of a file. After each kill all files
are read whole; the process is started again with --resume. Exits 1 if a file is not whole or a digest differs.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nascli.console import out
from tests.campaigns.reliability_kit import Log, Reference, digests, leftovers, parser_of, references, unwhole

MOST = 4  # kills before a run is left to end
COLUMNS = ("stage", "kills", "at a write", "temporary file there", "resumed", "whole after each", "ends", "bit-equal")


class Killing:
    """The kills of one stage."""

    def __init__(self, reference: Reference, rng: random.Random, log: Log) -> None:
        self.reference, self.rng, self.log = reference, rng, log
        self.folder = reference.chain / "killed"
        self.seen: Counter[str] = Counter()
        self.wrong: list[str] = []

    def run(self, kills: int, writes: int) -> dict[str, Any]:
        """All of them; what came of it."""
        while self.seen["kills"] < kills:
            for _ in range(min(self.rng.randint(1, MOST), kills - self.seen["kills"])):
                begin = 0.0 if self.seen["kills"] % 4 == 0 else self.reference.first
                if not self._killed(self.rng.uniform(begin, self.reference.took)):
                    break
            else:
                self._killed(None)
            self._ended()
        calls = range(1, self.reference.calls + 1)
        for call in sorted(self.rng.sample(calls, min(writes, len(calls)))):
            if self._killed(None, call):
                self._killed(None)
            self._ended()
        return self.log.add({"stage": self.reference.work.name, **self.seen, "wrong": self.wrong})

    def _killed(self, moment: float | None, call: int = 0) -> bool:
        """Whether the process was killed: after `moment` seconds or at the `call`-th call; else it ended."""
        more = ("--resume",) if self.reference.work.resumes else ()
        process = self.reference.start(self.folder, *more, KILL_AT=call)
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            process.kill()
        _, stderr = process.communicate()
        if process.returncode == -signal.SIGKILL:
            self.seen["kills"] += 1
            self.seen["at a write"] += bool(call)
            self.seen["temporary"] += bool(list(self.folder.rglob(".*.tmp")))
            self._note("half a file", unwhole(self.folder) if self.folder.exists() else [])
            return True
        if process.returncode:  # 2: the result was there when the process was killed
            done = process.returncode == 2 and digests(self.folder) == self.reference.digests
            self.seen["killed behind the result"] += done
            self._note(f"exit code {process.returncode}", [] if done else [stderr[-500:]])
        return False

    def _note(self, what: str, complaints: list[str]) -> None:
        self.wrong += [f"{what}: {text}" for text in complaints]
        for text in complaints:
            self.log.add({"stage": self.reference.work.name, "wrong": f"{what}: {text}"})

    def _ended(self) -> None:
        """Compare what a run through kills ended with, and remove it."""
        self.seen["ends"] += 1
        found = digests(self.folder)
        self.seen["equal"] += found == self.reference.digests
        self._note("differs", [] if found == self.reference.digests else [str(found)])
        self._note(
            "left behind", [text for text in leftovers(self.folder) if not self.seen["killed behind the result"]]
        )
        for path in self.folder.rglob("log.jsonl"):
            self.seen["resumed"] += sum('"resume"' in line for line in path.read_text().splitlines())
        shutil.rmtree(self.folder)


def main(words: list[str]) -> int:
    """Run the campaign."""
    parser = parser_of(__doc__)
    parser.add_argument("--kills", type=int, default=34)
    parser.add_argument("--writes", type=int, default=10)
    told = parser.parse_args(words)
    rows = []
    with tempfile.TemporaryDirectory(prefix="nascli-kills-") as folder:
        for reference in references(Path(folder)):
            rng = random.Random(f"{told.seed} {reference.work.name}")
            if told.only in reference.work.name:
                rows.append(Killing(reference, rng, Log(told.log)).run(told.kills, told.writes))
    out.table("SIGKILL", COLUMNS, [_shown(row) for row in rows])
    out.text("\n".join(f"{row['stage']}: {text}" for row in rows for text in row["wrong"]))
    return 1 if any(row["wrong"] for row in rows) else 0


def _shown(row: Mapping[str, Any]) -> tuple[object, ...]:
    counts = (row.get(name, 0) for name in ("kills", "at a write", "temporary", "resumed"))
    whole = not any(text.startswith("half") for text in row["wrong"])
    return (row["stage"], *counts, whole, row.get("ends", 0), row.get("equal", 0))
