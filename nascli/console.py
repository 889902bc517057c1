"""Speaking to a person: `out`. The result goes to stdout, everything else to stderr; dynamic text is never markup."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nascli.errors import NascliError

if TYPE_CHECKING:
    from rich.progress import Progress

Mode = Literal["human", "json", "quiet"]


class Out:
    """The one voice of the command line."""

    def __init__(self) -> None:
        self.mode: Mode = "human"
        self.verbose = False

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table on stdout; columns that hold numbers alone are aligned right."""
        table = Table(title=Text(title), title_justify="left")
        for i, column in enumerate(columns):
            numeric = bool(rows) and all(_is_number(row[i]) for row in rows)
            table.add_column(Text(column), justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(show(cell)) for cell in row))
        _console(sys.stdout).print(table)

    def text(self, text: str) -> None:
        """Plain lines on stdout."""
        _console(sys.stdout).print(Text(text), soft_wrap=True)

    def json(self, value: Mapping[str, Any]) -> None:
        """One JSON object on stdout."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")

    def note(self, text: str) -> None:
        """A line on stderr, in human mode."""
        if self.mode == "human":
            _console(sys.stderr).print(Text(text, style="dim"), soft_wrap=True)

    def warning(self, text: str) -> None:
        """A warning on stderr, in every mode."""
        _console(sys.stderr).print(Text.assemble(("warning: ", "yellow"), text), soft_wrap=True)

    def error(self, error: NascliError) -> None:
        """What, why and the next command, on stderr; one JSON object in json mode."""
        if self.mode == "json":
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
        """A progress bar on stderr with ETA and a metric; silent unless stderr is a terminal."""
        live = self.mode == "human" and sys.stderr.isatty() and not os.environ.get("NASCLI_NO_PROGRESS")
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[metric]}", markup=False),
        )
        with Progress(*columns, console=_console(sys.stderr), disable=not live, transient=True) as progress:
            yield Bar(progress, progress.add_task(what, total=total, completed=start, metric=""))


class Bar:
    """One progress bar."""

    def __init__(self, progress: Progress, task: Any) -> None:
        self._progress, self._task = progress, task

    def advance(self, metric: str = "", by: int = 1) -> None:
        """`by` more steps are done; `metric` stands behind the bar."""
        self._progress.advance(self._task, by)
        if metric:
            self._progress.update(self._task, metric=metric)


def show(value: object) -> str:
    """A value for people: at most 5 significant digits, thousands apart."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: ""}[value]
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:.5g}"
    return str(value)


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _console(stream: TextIO) -> Console:
    return Console(file=stream, highlight=False, markup=False, emoji=False)


out = Out()
