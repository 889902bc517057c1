"""Every kind, scaffolded in an empty folder: its test passes, the pipeline runs with it, the lineage names it.

    python tests/campaigns/scaffolds.py [--folder DIR]

Prints a row for each kind and style. Exits 1 if anything fails.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from nascli.scaffold import KINDS

BASE: dict[str, Any] = {
    "search_space": {"use": "tiny", "width": 4},
    "dataflow": {"use": "digits", "batch_size": 128},
    "constraint": ["macs<=1e6"],
    "threads": 1,
    "build_lut": {"meters": ["macs", "params"]},
    "train_supernet": {"epochs": 1, "panel": 2, "panel_images": 64},
    "search": {"max_evaluations": 4, "evaluator": {"use": "supernet", "calibration_images": 64}},
    "retrain": {"epochs": 1},
}
STAGES = {
    "build-lut": ("lut.h5",),
    "train-supernet": ("supernet.pt", "--lut", "lut.h5"),
    "search": ("arch.npy", "--lut", "lut.h5", "--supernet", "supernet.pt"),
    "retrain": ("model.pt", "--arch", "arch.npy"),
    "evaluate": ("report.json", "--model", "model.pt", "--lut", "lut.h5"),
}


class Failed(Exception):
    """A command that should have worked."""


def cases() -> Iterator[tuple[str, str | None]]:
    """Every kind with each of its styles."""
    for kind, part in KINDS.items():
        yield from ((kind, style) for style in part.styles or (None,))


def command(folder: Path, *words: str) -> str:
    """What a command prints; raises Failed with the end of what it said unless it exits 0."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, env=env, check=False
    )
    if done.returncode:
        raise Failed(f"{' '.join(words)}: exit {done.returncode}: {(done.stderr or done.stdout).strip()[-400:]}")
    return done.stdout


def merged(base: dict[str, Any], printed: dict[str, Any]) -> dict[str, Any]:
    """The settings with the printed lines put into their sections."""
    sections = {key for key in printed if key in {name.replace("-", "_") for name in STAGES}}
    return {**base, **printed, **{key: {**base[key], **printed[key]} for key in sections}}


def tried(folder: Path, kind: str, style: str | None) -> str:
    """Scaffold, test, run all stages; the line of the lineage that names the component.

    Raises:
        Failed: something does not work, or the lineage does not name it.
    """
    choice = ["--style", style] if style else []
    printed = yaml.safe_load(command(folder, "nascli", "scaffold", kind.replace("_", "-"), "mine", *choice))
    passed = command(folder, "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "test_mine.py")
    (folder / "run.yaml").write_text(yaml.safe_dump(merged(BASE, printed)))
    for stage, (output, *inputs) in STAGES.items():
        command(folder, "nascli", stage, "-c", "run.yaml", "-o", output, "-q", *inputs)
    lineage = command(folder, "nascli", "inspect", "--lineage", "report.json")
    named = [line.strip("│├└─ ") for line in lineage.splitlines() if "mine.py:Mine" in line]
    if not named:
        raise Failed(f"the lineage does not name mine.py:Mine:\n{lineage}")
    return f"{passed.strip().splitlines()[-1]:28} {named[0]}"


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    options, failed = parser.parse_args(), 0
    with tempfile.TemporaryDirectory() as temporary:
        for kind, style in cases():
            folder = (options.folder or Path(temporary)) / f"{kind}_{style or 'only'}"
            folder.mkdir(parents=True)
            try:
                said = tried(folder, kind, style)
            except Failed as error:
                failed, said = failed + 1, f"FAILED: {error}"
            print(f"{kind:18} {style or '':10} {said}", flush=True)
    print(f"{len(list(cases()))} scaffolds, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
