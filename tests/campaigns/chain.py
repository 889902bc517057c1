"""The quickstart with seed after seed, and twice with one: memory, files left behind, digests.

    nox -s reliability -- chain [--runs 20] [--options='--set retrain.epochs=2'] [--log FILE]

Exits 1 if a command fails, a temporary file is left, or two runs with one seed differ.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from nascli.console import out
from tests.campaigns.fault_kit import ROOT, child, launched
from tests.campaigns.reliability_kit import Log, digests, unwhole

SECONDS = 1800
COLUMNS = ("seed", "exit code", "seconds", "peak MiB", "temporary files", "wrong", "digest of the report")


@contextlib.contextmanager
def one_run(seed: int, options: list[str], folder: Path) -> Iterator[dict[str, object]]:
    """Run the quickstart into `folder`; what is to be said of it. The folder is removed afterwards."""
    temporary, made = folder / "tmp", folder / "out"
    temporary.mkdir(parents=True)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {"PATH": path, "VIRTUAL_ENV": sys.prefix, "SKIP_INSTALL": "1", "TMPDIR": str(temporary)}
    env |= {"PYTHONPATH": str(ROOT), "NASCLI_SEED": str(seed)}
    command = ["bash", "examples/quickstart.sh", str(made), *options]
    begun = time.monotonic()
    done = launched(ROOT, command, env, SECONDS)
    took = time.monotonic() - begun
    checked = child(folder, ["inspect", "--check", str(made)])
    kept = (path for path in temporary.rglob("*") if not path.name.startswith("torchinductor_"))  # torch's own, reused
    left = [str(path.relative_to(folder)) for path in (*kept, *made.rglob(".*"), *made.glob("*.run/last.*"))]
    wrong = unwhole(made) + ([done.stderr[-300:]] if done.code else []) + (["inspect --check"] if checked.code else [])
    try:
        yield {
            "seed": seed, "code": done.code, "seconds": round(took, 1), "mib": round(done.mib or 0.0),
            "left": left, "wrong": wrong, "digests": digests(made),
        }  # fmt: skip
    finally:
        shutil.rmtree(folder)


def main(words: list[str]) -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--options", default="", help="for every stage of the quickstart")
    parser.add_argument("--log", type=Path, default=None)
    told = parser.parse_args(words)
    rows, log = [], Log(told.log)
    with tempfile.TemporaryDirectory(prefix="nascli-chain-") as folder:
        for seed in [0, *range(told.runs)]:  # 0 twice
            with one_run(seed, shlex.split(told.options), Path(folder) / "run") as row:
                rows.append(log.add(row))
    shown = [(r["seed"], r["code"], r["seconds"], r["mib"], len(r["left"]), len(r["wrong"]),
              r["digests"].get("report.json", "")[:12]) for r in rows]  # fmt: skip
    out.table("quickstart", COLUMNS, shown)
    equal = bool(rows[0]["digests"]) and rows[0]["digests"] == rows[1]["digests"]
    different = len({json.dumps(row["digests"]) for row in rows})
    out.text(f"{len(rows)} runs, twice with seed 0: digests equal: {equal}; {different} different sets of digests")
    bad = [row for row in rows if row["code"] or row["left"] or row["wrong"]]
    return 1 if bad or not equal else 0
