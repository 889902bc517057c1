"""Speaking to a person: `out`. The result goes to stdout, everything else to stderr; dynamic text is never markup."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nascli.errors import NascliError

if TYPE_CHECKING:
    from rich.progress import Progress

Mode = Literal["human", "json", "quiet"]

NARROWEST = 8  # characters a column
FOLDED = 2  # columns of a table whose words are broken before it becomes blocks of lines
UNBROKEN = 24  # characters of a word that a table keeps in one line; of longer ones, as paths are, so many at least
BARE: dict[str, Any] = {"box": box.SIMPLE_HEAD, "show_edge": False, "pad_edge": False, "padding": (0, 1, 0, 0)}
ASCII = str.maketrans("├└│─→", "|`|->")


class Out:
    """The one voice of the command line."""

    def __init__(self) -> None:
        self.mode: Mode = "human"
        self.verbose = False
        self.muted = False
        """Whether another process of the same run speaks."""
        self._warned: set[str] | None = None

    def speak(self, json: bool, quiet: bool = False, verbose: bool = False) -> None:
        """Speak as the flags `--json`, `--quiet` and `--verbose` of a command say."""
        self.mode = "json" if json else "quiet" if quiet else "human"
        self.verbose = verbose

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table on stdout, numbers aligned right; without lines, then as blocks of lines, where it is too narrow."""
        console = _console(sys.stdout)
        cells = [[show(cell) for cell in row] for row in rows]
        texts = list(zip(columns, *cells, strict=True))
        room = console.width - 3 * len(columns) - 1
        bare = sum(map(_longest_word, texts)) > room and len(columns) > FOLDED
        room = console.width - 2 * len(columns) + 2 if bare else room
        widths = _widths(texts, room)
        fits = sum(widths) <= room
        if (bare and not fits) or console.width < NARROWEST * len(columns):
            blocks = ("\n".join(f"{c}: {cell}" for c, cell in zip(columns, row, strict=True)) for row in cells)
            self.text("\n\n".join((title, *blocks, "")))
            return
        table = Table(**BARE) if bare else Table()
        for i, (column, width) in enumerate(zip(columns, widths, strict=True)):
            justify: Literal["left", "right"] = "right" if rows and all(_is_number(row[i]) for row in rows) else "left"
            table.add_column(Text(column), justify=justify, overflow="fold", width=width if fits else None)
        for row in cells:
            table.add_row(*map(Text, row))
        console.print(Text(title, style="table.title"), soft_wrap=True)
        console.print(table, *([""] if bare else []), sep="\n")

    def text(self, text: str) -> None:
        """Plain lines on stdout; lines of a tree in ASCII where nothing else can be written."""
        console = _console(sys.stdout)
        console.print(Text(text.translate(ASCII) if console.options.ascii_only else text), soft_wrap=True)

    def json(self, value: Mapping[str, Any]) -> None:
        """One JSON object on stdout."""
        if not self.muted:
            sys.stdout.write(json.dumps(value) + "\n")

    def note(self, text: str) -> None:
        """A line on stderr, in human mode."""
        if self.mode == "human":
            _console(sys.stderr).print(Text(text, style="dim"), soft_wrap=True)

    def warning(self, text: str) -> None:
        """A warning on stderr, in every mode."""
        if self._warned is not None:
            if text in self._warned:
                return
            self._warned.add(text)
        _console(sys.stderr).print(Text.assemble(("warning: ", "yellow"), text), soft_wrap=True)

    @contextmanager
    def warning_once(self) -> Iterator[None]:
        """Tell what several runs of one command warn of once."""
        self._warned = set()
        try:
            yield
        finally:
            self._warned = None

    def error(self, error: NascliError) -> None:
        """What, why and the next command, on stderr; one JSON object in json mode."""
        if self.mode == "json" and not self.muted:
            fields = {"error": error.what, "why": error.why, "hint": error.hint, "exit_code": error.exit_code}
            sys.stderr.write(json.dumps(fields, ensure_ascii=False) + "\n")
            return
        console = _console(sys.stderr)
        console.print(Text.assemble(("error: ", "bold red"), error.what), soft_wrap=True)
        for name, line in (("  why: ", error.why), (" hint: ", error.hint)):
            if line:
                console.print(Text.assemble((name, "bold"), line), soft_wrap=True)

    @contextmanager
    def progress(self, what: str, total: int, start: int = 0) -> Iterator[Bar]:
        """Progress on stderr with ETA and a metric: a bar on a terminal, else a line every some seconds.

        Silent in json and quiet mode, and with NASCLI_NO_PROGRESS.
        """
        silent = self.mode != "human" or self.muted or bool(os.environ.get("NASCLI_NO_PROGRESS"))
        if silent or not sys.stderr.isatty():
            yield Bar(what, total, start, (lambda text: None) if silent else self.note)
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        metric = TextColumn("{task.fields[metric]}", markup=False)
        with Progress(*columns, metric, console=_console(sys.stderr), transient=True) as progress:
            yield LiveBar(progress, progress.add_task(what, total=total, completed=start, metric=""))


class Bar:
    """Progress in lines, for logs."""

    every_s = 10.0

    def __init__(self, what: str, total: int, start: int, say: Callable[[str], None]) -> None:
        self._what, self._total, self._done, self._first, self._say = what, total, start, start, say
        self._begun = self._said = time.monotonic()
        self._metric = ""

    def advance(self, metric: str = "", by: int = 1) -> None:
        """`by` more steps are done; `metric` stands behind them."""
        self._done += by
        self._metric = metric or self._metric
        now = time.monotonic()
        if now - self._said >= self.every_s and self._done > self._first:
            left = (now - self._begun) / (self._done - self._first) * (self._total - self._done)
            self._said = now
            self._say(f"{self._what} {self._done}/{self._total}, {left:.0f} s left  {self._metric}")


class LiveBar(Bar):
    """A progress bar on a terminal."""

    def __init__(self, progress: Progress, task: Any) -> None:
        self._progress, self._task = progress, task

    def advance(self, metric: str = "", by: int = 1) -> None:
        """`by` more steps are done; `metric` stands behind the bar."""
        self._progress.advance(self._task, by)
        if metric:
            self._progress.update(self._task, metric=metric)


def show(value: object) -> str:
    """A value for people: at most 5 significant digits, thousands apart; control characters are spelt out."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ""}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:.5g}"
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in str(value))


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _longest_word(texts: Sequence[str]) -> int:
    """The width of the longest word in a column."""
    return max((min(cell_len(word), UNBROKEN) for text in texts for word in text.split()), default=0)


def _widths(texts: Sequence[Sequence[str]], room: int) -> list[int]:
    """The width of each column in so much room: the widest give way first, down to their longest words."""
    least = [_longest_word(column) for column in texts]
    widths = [max(cell_len(line) for text in column for line in (text.splitlines() or [""])) for column in texts]
    while sum(widths) > room and (wide := [i for i, width in enumerate(widths) if width > least[i]]):
        widths[max(wide, key=widths.__getitem__)] -= 1
    return widths


def _console(stream: TextIO) -> Console:
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return Console(file=io.StringIO() if out.muted else stream, highlight=False, markup=False, emoji=False)


out = Out()
