"""Measures exported blocks on this machine; it needs numpy and onnxruntime alone.

    python measure_blocks.py FOLDER [ROUNDS]

FOLDER is what `nascli export-blocks` wrote. The median of each model's samples, in ms, goes into its measurements.csv;
that of a block less what the runtime takes to do nothing.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import onnxruntime

THREADS = 1


def timer(file: Path, shape: list[int]) -> Callable[[], float]:
    """What measures one forward of a model, in ms."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    images = {"x": np.random.default_rng(0).random(shape, dtype=np.float32)}

    def measure() -> float:
        begun = time.perf_counter()
        session.run(["y"], images)
        return 1e3 * (time.perf_counter() - begun)

    return measure


def main(folder: Path, rounds: int) -> None:
    """Measure every model once a round, in random order, so that the load of a moment meets all alike."""
    manifest = json.loads((folder / "manifest.json").read_text())
    whole = manifest["space"]["description"]["input_shape"]
    timers = {"empty": timer(folder / manifest["empty"]["file"], [1, 1, 1, 1])}
    for entry in (*manifest["blocks"], *manifest["networks"]):
        name = entry.get("id") or ",".join(map(str, entry["architecture"]))
        shape = [manifest["batch"], *entry.get("input_shape", whole)]
        timers[name] = timer(folder / entry["model"]["file"], shape)
    samples: dict[str, list[float]] = {name: [] for name in timers}
    for number in range(1 + rounds):
        for name in random.sample(sorted(timers), len(timers)):
            took = timers[name]()
            samples[name] += [took] if number else []  # the first round is cold
    nothing = median(samples["empty"])
    file = folder / "measurements.csv"
    with file.open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    for line in lines:
        value = median(samples[line["id"] or line["architecture"]])
        line |= {"value": max(value - nothing, 0.0) if line["id"] else value, "unit": "ms"}
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("rounds", type=int, nargs="?", default=30)
    given = parser.parse_args()
    main(given.folder, given.rounds)
