"""What a section of the page is made of; the templates say how each part looks. Text is escaped there, never here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from nascli.commands.views.common import View
from nascli.console import show

if TYPE_CHECKING:
    from markupsafe import Markup

NUMBER = re.compile(r"[-+]?([0-9]{1,3}(,[0-9]{3})+|[0-9]+)(\.[0-9]+)?(e[-+][0-9]+)?( ± [0-9.]+)?")
UNBROKEN = 24  # characters of a word in one line
LONG = 60  # characters of a text whose column is wide
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[-+][0-9:]+)?")
UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Args:
        text: what it says.
        shade: how dark it is, 0 to 1; None: not at all.
        exact: what it says to whoever points at it.
        number: whether it is aligned right.
        whole: whether it stays in one line.
    """

    text: str
    shade: float | None = None
    exact: str = ""
    number: bool = False
    whole: bool = False

    @property
    def shape(self) -> str:
        """The class that says how its lines break; none where they break between words."""
        widest = max(map(len, self.text.split()), default=0)
        return "whole" if self.whole else "long" if widest > UNBROKEN or len(self.text) > LONG else ""

    @property
    def alpha(self) -> str:
        """The opacity of the shade; never so dark that dark text could not be read on it."""
        return f"{0.5 * min(1.0, max(0.0, self.shade or 0.0)):.2f}"


@dataclass(frozen=True)
class Note:
    """A sentence; `warns` where it speaks against trusting something."""

    kind: ClassVar[str] = "note"
    text: str
    warns: bool = False


@dataclass(frozen=True)
class Table:
    """A table; the first column names the rows. `folded` ones are opened by whoever wants them."""

    kind: ClassVar[str] = "table"
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    folded: bool = False

    @property
    def aligned(self) -> list[bool]:
        """Which columns hold numbers alone."""
        columns = list(zip(*self.rows, strict=True)) or [()] * len(self.columns)
        return [any(c.text for c in column) and all(c.number or not c.text for c in column) for column in columns]

    @classmethod
    def of(cls, view: View, *, folded: bool = False) -> Table:
        """A table that `nascli inspect` shows."""
        title, columns, rows = view
        return cls(title, columns, [[cell(value) for value in row] for row in rows], folded)


@dataclass(frozen=True)
class Figure:
    """A drawing with what it shows in words."""

    kind: ClassVar[str] = "figure"
    title: str
    drawing: Markup
    words: str


@dataclass(frozen=True)
class Diagram:
    """A diagram that a template draws: `kind` names it, `data` is what it draws."""

    kind: str
    title: str
    data: Mapping[str, Any]


Part: TypeAlias = Note | Table | Figure | Diagram


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading; `source` is the file it tells of."""

    anchor: str
    title: str
    source: str
    parts: Sequence[Part] = field(default_factory=tuple)


def cell(value: object) -> Cell:
    """A value as a cell: numbers aligned right, also those that are text; times and short words in one line."""
    text = show(value)
    if TIME.fullmatch(text):
        return Cell(text.replace("T", " "), whole=True)
    whole = 0 < len(text) <= UNBROKEN and not re.search(r"\s", text)
    return Cell(text, number=bool(NUMBER.fullmatch(text)), whole=whole)


def short(value: float) -> str:
    """A number in little space: "299.6k", "0.0123", "12.5"."""
    for size, letter in UNITS:
        if abs(value) >= size:
            return f"{value / size:.4g}{letter}"
    return f"{value:.4g}"


def shaded(value: float, largest: float, exact: str = "") -> Cell:
    """A number whose cell is the darker the larger it is."""
    return Cell(short(value), value / largest if largest else 0.0, exact or show(value), number=True)
