"""The rows of a benchmark, measured one after another and shown as one table."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import torch
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from tests.benchmarks.pairs import LEAST, WIDTH, Ratio, Work, compare

Verdict = Literal["met", "open", "missed", ""]


@dataclass(frozen=True)
class Options:
    """How a benchmark is run.

    Args:
        seconds: for the pairs of one row; the interval may then still be wider than wanted, as the row shows.
        batch: images a step; None: what the row says.
    """

    seconds: float
    batch: int | None = None
    accelerator: str = "cpu"
    precision: str = "32"
    threads: int = 0

    def compare(self, first: Work, second: Work, each: int = 1) -> Ratio:
        """Seconds of the first over seconds of the second, which runs `each` times in a pair where its cost varies."""
        works = self._finished(first, 1), self._finished(second, each)
        found = compare(*works, least=LEAST, width=WIDTH, seconds=self.seconds)
        return replace(found, value=found.value * each, low=found.low * each, high=found.high * each)

    def _finished(self, work: Work, times: int) -> Work:
        def finished() -> None:
            for _ in range(times):
                work()
            if self.accelerator == "cuda":
                torch.cuda.synchronize()

        return finished


@dataclass(frozen=True)
class Found:
    """What a row measured; an interval that contains the wanted value leaves it open."""

    measured: str
    verdict: Verdict = ""


@dataclass(frozen=True)
class Row:
    """One line of the table; `measure` is called once."""

    name: str
    what: str
    wanted: str
    measure: Callable[[Options], Found]


def at_least(found: Ratio, wanted: float) -> Found:
    """Judge a ratio that should be high."""
    return Found(str(found), "met" if found.low >= wanted else "missed" if found.high < wanted else "open")


def at_most(found: Ratio, wanted: float) -> Found:
    """Judge a ratio whose whole interval should be low."""
    return Found(str(found), "met" if found.high <= wanted else "missed" if found.low > wanted else "open")


def exactly(found: int, wanted: int, said: str) -> Found:
    """Judge a count."""
    return Found(said, "met" if found == wanted else "missed")


def run(title: str, rows: Sequence[Row], options: Options) -> None:
    """Measure and show; what is done so far stands on stderr."""
    table, progress = Table(title=title, box=MARKDOWN), Console(stderr=True)
    for column in ("row", "what", "measured", "wanted", ""):
        table.add_column(column, no_wrap=True)
    for row in rows:
        found = row.measure(options)
        progress.print(f"{row.name}: {found.measured} {found.verdict}", highlight=False, markup=False)
        table.add_row(row.name, row.what, found.measured.replace("[", r"\["), row.wanted, found.verdict)
    console = Console(width=240, highlight=False)
    console.print(table)
    console.print(f"{machine(options)}, {date.today()}; ratios are of seconds: median [95 % interval] n pairs")


def machine(options: Options) -> str:
    """Where this was measured."""
    device = torch.cuda.get_device_name() if options.accelerator == "cuda" else _processor()
    threads = options.threads or torch.get_num_threads()
    return f"{device}, {threads} threads, precision {options.precision}, torch {torch.__version__}"


def _processor() -> str:
    return f"{platform.machine()} CPU with {os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}"
