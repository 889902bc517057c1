"""Speed and memory of supernet training, as one table.

    python -m tests.benchmarks.training [--only NAME …] [--seconds S] [--accelerator cuda --precision bf16]

A ratio is taken over interleaved pairs until its interval is within ± 4 %, at least 30 of them, as long as a row's
`--seconds` allow; `--seconds 900` is as long as the strictest reading needs. Random images of 32 × 32 pixels.
"""

from __future__ import annotations

import argparse
import os

import torch

from tests.benchmarks import training_counts, training_memory, training_rows
from tests.benchmarks.table import Options, run

ROWS = {row.name: row for part in (training_counts, training_rows, training_memory) for row in part.ROWS}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=ROWS, metavar="NAME", help=f"rows: {', '.join(ROWS)}")
    parser.add_argument("--seconds", type=float, default=45.0, help="for the pairs of one row")
    parser.add_argument("--batch", type=int, help="images a step, in all rows")
    parser.add_argument("--accelerator", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("32", "bf16", "fp16"), default="32")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    told = parser.parse_args()
    torch.set_num_threads(told.threads)
    options = Options(told.seconds, told.batch, told.accelerator, told.precision, told.threads)
    run("Supernet training", [ROWS[name] for name in told.only or ROWS], options)


if __name__ == "__main__":
    main()
