"""Feed every reader damaged and misleading inputs, in bounded time and memory: only NascliErrors may come out.

    nox -s reliability -- fuzz [--seconds 20] [--inputs 2000] [--only WORDS] [--seed 0] [--log FILE]

Each reader has a process of its own, whose memory is capped at what it takes before the first input and 1 GiB more; an
input may take 20 s. A process that dies is started again behind the input that it died of. Exits 1 if anything else
comes out of a reader, or none at all.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

from nascli.console import out
from nascli.errors import NascliError
from tests.campaigns.fault_kit import in_process, make_base
from tests.campaigns.fuzz_inputs import Refused, prepare
from tests.campaigns.fuzz_readers import READERS, Reader
from tests.campaigns.reliability_kit import Log, environment, parser_of

GIB = 2**30
LONGEST = 20  # seconds an input may take
COLUMNS = ("reader", "inputs", "refused", "read", "not made", "wrong", "slowest s", "peak MiB")


class TooLong(BaseException):
    """An input took too long."""


def _too_long(number: int, frame: object) -> None:
    raise TooLong


def work(name: str, seed: int, first: int, last: int, seconds: float, folder: Path) -> None:
    """Read inputs `first` to `last`, or as many as fit into the time; one line of JSON for each result that is new.

    The number of the input stands in the file `at`, for the case that the process dies.
    """
    reader = next(reader for reader in READERS if reader.name == name)
    import torch  # before the cap: its libraries count

    torch.set_num_threads(1)
    os.chdir(folder)
    warnings.simplefilter("ignore")
    os.environ["NASCLI_DEBUG"] = "1"
    signal.signal(signal.SIGALRM, _too_long)
    _one(reader, folder, random.Random(0))  # imports what it needs
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + GIB, taken + GIB))
    counts: Counter[str] = Counter()
    begun, slowest, i = time.monotonic(), 0.0, first
    for i in range(first, last):
        if time.monotonic() - begun > seconds:
            break
        (folder / "at").write_text(str(i))
        started = time.monotonic()
        result, wrong = _one(reader, folder, random.Random(f"{seed} {name} {i}"))
        slowest = max(slowest, time.monotonic() - started)
        counts[result] += 1
        if wrong:
            _say({"input": i, "wrong": wrong})
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _say({"counts": counts, "slowest": slowest, "mib": mib})


def _one(reader: Reader, folder: Path, rng: random.Random) -> tuple[str, str]:
    """("refused" | "read" | "not made" | "wrong", what is wrong)."""
    try:
        made = reader.make(folder, rng)
    except Exception:  # e.g. a header that no format can write
        return "not made", ""
    signal.alarm(LONGEST)
    try:
        reader.read(folder, made)
    except Refused:
        return "refused", ""
    except NascliError as error:
        return ("refused", "") if error.exit_code != 1 else ("wrong", str(error))
    except (Exception, TooLong) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return "wrong", f"{type(error).__name__}: {str(error)[-1500:]} ({last.filename}:{last.lineno})"
    finally:
        signal.alarm(0)
    return "read", ""


def _say(value: Any) -> None:
    sys.__stdout__.write(json.dumps(value) + "\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]


def fuzz(reader: Reader, told: argparse.Namespace, base: Path, folder: Path) -> dict[str, Any]:
    """All inputs of a reader, in as many processes as it takes."""
    counts: Counter[str] = Counter()
    wrong: list[dict[str, Any]] = []
    slowest, mib, first, left = 0.0, 0.0, 0, told.seconds
    while first < told.inputs and left > 0:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(base, folder)
        begun = time.monotonic()
        words = [reader.name, str(told.seed), str(first), str(told.inputs), str(left), str(folder)]
        command = [sys.executable, "-m", "tests.campaigns.fuzz", *words]
        env = environment({"COLUMNS": "100"})
        done = subprocess.run(
            command, capture_output=True, text=True, env=env, timeout=20 * told.seconds + 600, check=False
        )
        left -= time.monotonic() - begun
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        wrong += [line for line in lines if "wrong" in line]
        last = lines[-1] if lines and "counts" in lines[-1] else None
        if last:
            counts.update(last["counts"])
            slowest, mib = max(slowest, last["slowest"]), max(mib, last["mib"])
            break
        at = int((folder / "at").read_text()) if (folder / "at").exists() else first
        counts.update({"wrong": 1, "read": at - first})
        wrong.append({"input": at, "wrong": f"the process ended with {done.returncode}: {done.stderr[-300:]}"})
        first = at + 1
    return {"reader": reader.name, **counts, "slowest": round(slowest, 2), "mib": round(mib), "complaints": wrong}


def main(words: list[str]) -> int:
    """Run the campaign."""
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="of each reader")
    parser.add_argument("--inputs", type=int, default=2000, help="of each reader, at most")
    told = parser.parse_args(words)
    rows, log = [], Log(told.log)
    with tempfile.TemporaryDirectory(prefix="nascli-fuzz-") as name:
        base = make_base(Path(name) / "base", in_process)
        prepare(base)
        for reader in READERS:
            if told.only in reader.name:
                rows.append(log.add(fuzz(reader, told, base, Path(name) / "work")))
    out.table("fuzzing", COLUMNS, [_shown(row) for row in rows])
    for row in rows:
        for complaint in row["complaints"]:
            out.text(f"{row['reader']}, input {complaint['input']}: {complaint['wrong']}")
    total = sum(row.get(kind, 0) for row in rows for kind in ("refused", "read", "wrong"))
    out.text(f"{len(rows)} readers, {total} inputs, {sum(len(row['complaints']) for row in rows)} wrong")
    return 1 if any(row["complaints"] for row in rows) else 0


def _shown(row: dict[str, Any]) -> tuple[object, ...]:
    refused, read, unmade, wrong = (row.get(kind, 0) for kind in ("refused", "read", "not made", "wrong"))
    return (row["reader"], refused + read + wrong, refused, read, unmade, wrong, row["slowest"], row["mib"])


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]), Path(sys.argv[6]))
