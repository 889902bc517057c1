"""Every stage on a disk that is full, becomes read-only, or fails: the old result is kept, the next run goes on.

    nox -s reliability -- disk [--full 5] [--readonly 4] [--failing 4] [--only STAGE] [--seed 0] [--log FILE]

Results go to a file system in memory that is mounted for each try: as root, or behind `unshare -rm`. `--full`: of a
random size up to a third more than all files take. From a random flush or replacement on, `--readonly`: nothing can be
opened for writing, made, replaced or removed (EROFS; Linux mounts nothing read-only while a lock is held open in it);
`--failing`: all flushes and replacements fail (EIO). The stage must end with 0, or with 5 and the cause, the
old result whole; with the disk mended and --resume it must end as an undisturbed one. Exits 1 otherwise.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nascli.console import out
from tests.campaigns.reliability_kit import Log, Reference, digests, leftovers, parser_of, references, unwhole

ENOUGH = 64 * 2**20
COLUMNS = ("stage", "fault", "tries", "hit", "old result kept", "then equal", "wrong")


@contextlib.contextmanager
def disk(folder: Path) -> Iterator[Path]:
    """A small file system in memory."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ENOUGH}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def resize(folder: Path, size: int) -> None:
    """Give the file system another size, bytes."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)


class Disturbance:
    """The disks of one stage."""

    def __init__(self, reference: Reference, rng: random.Random) -> None:
        self.reference, self.rng = reference, rng
        self.seen: Counter[str] = Counter()
        self.wrong: list[str] = []

    def full(self, folder: Path) -> tuple[int, str]:
        """Run with room for some of its files beside the old result."""
        held = sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
        resize(folder, held + self.rng.randrange(4096, int(1.3 * self.reference.size) + 8192))
        return self._run(folder)

    def readonly(self, folder: Path) -> tuple[int, str]:
        """Run until a random call that writes; from then on nothing can be written."""
        return self._run(folder, READONLY_AT=self.rng.randint(1, self.reference.calls))

    def failing(self, folder: Path) -> tuple[int, str]:
        """Run until a call that fails."""
        return self._run(folder, FAIL_AT=self.rng.randint(1, self.reference.calls))

    def _run(self, folder: Path, **env: object) -> tuple[int, str]:
        process = self.reference.start(folder, *self.reference.again, **env)
        _, stderr = process.communicate()
        return process.returncode, stderr

    def attempt(self, fault: str, folder: Path) -> None:
        """One disk."""
        old = self.reference.chain / self.reference.work.out
        (shutil.copytree if old.is_dir() else shutil.copy)(old, folder / old.name)
        if old.is_dir():  # what it holds is kept as it is: something has to be made
            next(iter(sorted((folder / old.name).glob("*.npy")))).unlink()
        before = digests(folder)
        code, stderr = getattr(self, fault)(folder)
        self.seen["tries"] += 1
        self.seen["hit"] += code != 0
        complaints = [] if code in (0, 5) and "Traceback" not in stderr else [f"exit code {code}: {stderr[-600:]}"]
        if code == 5 and not any(line.startswith(" hint: ") for line in stderr.splitlines()):
            complaints.append(f"no hint: {stderr[-300:]}")
        complaints += [f"half a file: {text}" for text in unwhole(folder)]
        kept = code == 0 or all(digests(folder).get(name) == digest for name, digest in before.items())
        self.seen["kept"] += kept
        resize(folder, ENOUGH)
        code, stderr = self._run(folder)
        equal = code == 0 and digests(folder) == self.reference.digests
        self.seen["equal"] += equal
        complaints += [] if kept else ["the old result is another"]
        complaints += [] if equal else [f"then exit code {code}, {digests(folder)}: {stderr[-600:]}"]
        complaints += [f"left behind: {text}" for text in leftovers(folder)]
        self.wrong += complaints


def main(words: list[str]) -> int:
    """Run the campaign."""
    parser = parser_of(__doc__)
    for fault, tries in (("full", 5), ("readonly", 4), ("failing", 4)):
        parser.add_argument(f"--{fault}", type=int, default=tries)
    told = parser.parse_args(words)
    rows, log = [], Log(told.log)
    with tempfile.TemporaryDirectory(prefix="nascli-disk-") as name:
        for reference in references(Path(name)):
            for fault in ("full", "readonly", "failing"):
                if told.only in reference.work.name:
                    disturbed = Disturbance(reference, random.Random(f"{told.seed} {reference.work.name} {fault}"))
                    for _ in range(getattr(told, fault)):
                        with disk(reference.chain / "disk") as folder:
                            disturbed.attempt(fault, folder)
                    about = {"stage": reference.work.name, "fault": fault}
                    rows.append(log.add({**about, **disturbed.seen, "wrong": disturbed.wrong}))
    out.table("disks", COLUMNS, [_shown(row) for row in rows])
    out.text("\n".join(f"{row['stage']}, {row['fault']}: {text}" for row in rows for text in row["wrong"]))
    return 1 if any(row["wrong"] for row in rows) else 0


def _shown(row: Mapping[str, Any]) -> tuple[object, ...]:
    counts = (row.get(name, 0) for name in ("tries", "hit", "kept", "equal"))
    return (row["stage"], row["fault"], *counts, len(row["wrong"]))
