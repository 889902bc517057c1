"""The memory rows of the training benchmark: peaks of steps, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path

from tests.benchmarks.table import Found, Options, Row

MIB = 2**20
STEPS = 2
STRATEGIES = ("uniform", "fair", "sandwich", "gdas", "proxyless", "softmax", "gumbel_softmax", "sum")
SPACE, IMAGES = "proxylessnas", 32


@cache
def peak_mib(space: str, strategy: str, options: Options) -> float:
    """MiB that two steps take at most, above what stood before them: activations and gradients (Linux alone)."""
    told = json.dumps([space, strategy, asdict(options)])
    words = [sys.executable, "-m", "tests.benchmarks.training_memory", told]
    done = subprocess.run(words, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    return float(done.stdout)


def _measured(space: str, strategy: str, options: Options) -> float:
    import torch

    from tests.benchmarks.training_work import step_of, strategy_of, trainer_of

    step = step_of(trainer_of(space, strategy_of(strategy), options.batch or IMAGES, options))
    if options.accelerator == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        for _ in range(STEPS):
            step()
        return (torch.cuda.max_memory_allocated() - before) / MIB
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew from here (proc(5))
    before = _resident_kib("VmRSS")
    for _ in range(STEPS):
        step()
    return (_resident_kib("VmHWM") - before) / 1024


def _resident_kib(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _row(strategy: str, options: Options) -> Found:
    own, mixture = peak_mib(SPACE, strategy, options), peak_mib(SPACE, "softmax", options)
    return Found(f"{own:,.0f} MiB, {own / mixture:.2f} of softmax")


ROWS = tuple(
    Row(f"memory_{name}", f"{SPACE}, peak memory of a step, {name}", "", partial(_row, name)) for name in STRATEGIES
)


if __name__ == "__main__":
    space, strategy, told = json.loads(sys.argv[1])
    sys.stdout.write(str(_measured(space, strategy, Options(**told))))
