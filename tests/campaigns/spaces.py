"""The whole chain through the command line for every installed search space, at a small size.

    python tests/campaigns/spaces.py [--only NAME ...] [--folder DIR]

build-lut, train-supernet (a few steps), search (under a constraint in the middle of the costs), retrain (a few
steps), export, evaluate. Prints a row a space and exits 1 if a stage fails, or if the network of the report does not
cost what the lookup table says.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from nascli.component import installed

SMALL: dict[str, str] = {
    "tiny": "width: 4",
    "nasbench201": "channels: 4, cells: 1",
    "darts": "channels: 4, cells: 3",
    "nasbench_macro": "",
    "chain": "first: [{op: conv, kernel: 3, out: 8}], search: [{out: 8, repeat: 2}, {out: 16, stride: 2}], "
    "candidates: [{op: skip}, {op: mobile, kernel: 3, expansion: 2}]",
}
YAML = """
search_space: {{use: {name}, input_shape: [3, 16, 16], classes: 4{options}}}
dataflow: {{use: synthetic, classes: 4, image_shape: [3, 16, 16], train_images: 160, test_images: 40, batch_size: 32}}
threads: 1
train_supernet: {{epochs: 1}}
search:
  search_strategy: {{use: evolution, population: 4, parents: 2}}
  evaluator: {{use: supernet, calibration_images: 32}}
  max_evaluations: 6
retrain: {{epochs: 1}}
"""
STRIDES = "strides: cifar"


def stage(name: str, folder: Path, *arguments: str) -> None:
    """Run a stage in a process of its own."""
    command = [sys.executable, "-m", "nascli", name, "-c", "space.yaml", *arguments, "-q"]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        raise RuntimeError(f"{name} ended with {done.returncode}: {done.stderr.strip()[-600:]}")


def chain(name: str, folder: Path) -> str:
    """All stages for one space; what came out, in words."""
    options = SMALL.get(name, STRIDES)
    (folder / "space.yaml").write_text(YAML.format(name=name, options=f", {options}" if options else ""))
    stage("build-lut", folder, "-o", "lut.h5")
    costs = inspected(folder, "lut.h5")
    middle = (costs["metrics"]["macs"]["smallest"] + costs["metrics"]["macs"]["largest"]) // 2
    bound = f"macs<={middle}"
    stage("train-supernet", folder, "-o", "supernet.pt")
    stage("search", folder, "--lut", "lut.h5", "--supernet", "supernet.pt", "--constraint", bound, "-o", "arch.npy")
    stage("retrain", folder, "--arch", "arch.npy", "--init", "supernet.pt", "-o", "model.pt")
    stage("export", folder, "--model", "model.pt", "--format", "torch", "--format", "onnx", "-o", "exported")
    stage("evaluate", folder, "--model", "model.pt", "--lut", "lut.h5", "-o", "report.json")
    report = inspected(folder, "report.json")["report"]
    for metric in ("macs", "params"):
        if report[metric] != report["table"][metric]:
            raise RuntimeError(f"{metric}: the table says {report['table'][metric]}, the network has {report[metric]}")
    if report["macs"] > middle:
        raise RuntimeError(f"{report['macs']} MACs break {bound}")
    return f"{report['macs']:>12,} MACs under {bound}, {report['params']:,} parameters"


def inspected(folder: Path, file: str) -> dict:  # type: ignore[type-arg]
    """What `inspect --json` says of a file."""
    command = [sys.executable, "-m", "nascli", "inspect", file, "--json"]
    return json.loads(subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout)


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=sorted(installed("search_space")))
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        for name in options.only:
            folder = (options.folder or Path(temporary)) / name
            folder.mkdir(parents=True, exist_ok=True)
            begun = time.monotonic()
            try:
                result = chain(name, folder)
            except RuntimeError as error:
                failed, result = failed + 1, f"FAILED {error}"
            print(f"{name:16} {time.monotonic() - begun:5.0f} s  {result}", flush=True)
    print(f"{len(options.only)} spaces, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
