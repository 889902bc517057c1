"""Two processes on one output, started at random moments: one makes it, the other says why it does not.

    nox -s reliability -- twins [--rounds 5] [--only STAGE] [--seed 0] [--log FILE]

Exits 1 unless one process ends with 0 and the other with 0, 2 (it exists) or 3 (in use), and the result is whole and
that of one process alone.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from nascli.console import out
from tests.campaigns.reliability_kit import Log, Reference, digests, leftovers, parser_of, references, unwhole

COLUMNS = ("stage", "rounds", "in use (3)", "exists (2)", "both 0", "bit-equal", "wrong")


def both(reference: Reference, rng: random.Random, rounds: int) -> dict[str, Any]:
    """All rounds of a stage; what came of them."""
    seen: Counter[str] = Counter()
    wrong: list[str] = []
    folder = reference.chain / "twins"
    for _ in range(rounds):
        first = reference.start(folder)
        time.sleep(rng.choice((0.0, rng.uniform(0, 0.2), rng.uniform(0, reference.took))))
        second = reference.start(folder)
        said = [process.communicate()[1] for process in (first, second)]
        codes = sorted((first.returncode, second.returncode))
        seen.update({"rounds": 1, str(codes[1]): 1})
        equal = digests(folder) == reference.digests
        seen["equal"] += equal
        if codes[0] != 0 or codes[1] not in (0, 2, 3) or "Traceback" in "".join(said):
            wrong.append(f"exit codes {codes}: {said}")
        wrong += [] if equal else [f"differs: {digests(folder)}"]
        wrong += [*unwhole(folder), *(f"left behind: {text}" for text in leftovers(folder))]
        shutil.rmtree(folder)
    return {"stage": reference.work.name, **seen, "wrong": wrong}


def main(words: list[str]) -> int:
    """Run the campaign."""
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    told = parser.parse_args(words)
    log = Log(told.log)
    with tempfile.TemporaryDirectory(prefix="nascli-twins-") as name:
        rows = [
            log.add(both(reference, random.Random(f"{told.seed} {reference.work.name}"), told.rounds))
            for reference in references(Path(name))
            if told.only in reference.work.name
        ]
    shown = [(row["stage"], *(row.get(key, 0) for key in ("rounds", "3", "2", "0", "equal")), len(row["wrong"]))
             for row in rows]  # fmt: skip
    out.table("two processes on one output", COLUMNS, shown)
    out.text("\n".join(f"{row['stage']}: {text}" for row in rows for text in row["wrong"]))
    return 1 if any(row["wrong"] for row in rows) else 0
