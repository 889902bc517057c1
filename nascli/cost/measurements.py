"""Costs of blocks that were measured elsewhere: rows of a file become one cost a block, in one unit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nascli.config import closest
from nascli.cost.blocks import Blocks
from nascli.cost.rounds import Array
from nascli.cost.units import convert, unit_of
from nascli.errors import ArtifactError, NascliError, UsageError
from nascli.space import Archs

SHOWN = 5


@dataclass(frozen=True)
class Wanted:
    """What is asked of a file.

    Args:
        metric: its name, "latency_ms@pixel3".
        unit: of rows that name none; None: what the format, or else the metric's name, says.
    """

    metric: str
    unit: str | None = None

    @property
    def plain(self) -> str:
        """The metric without the device."""
        return self.metric.partition("@")[0]

    @property
    def device(self) -> str:
        """The device, "" where none is named."""
        return self.metric.partition("@")[2]


@dataclass(frozen=True)
class Row:
    """One line of a file, not yet checked.

    Args:
        where: the place in the file: "line 4".
        value: a number, or text; None or "" where nothing was measured.
        unit: where the row names one.
        block: the id of a block.
        arch: of a whole network instead: "0,2,1" or a list.
    """

    where: str
    value: object
    unit: str | None = None
    block: str | None = None
    arch: object = None


@dataclass(frozen=True, eq=False)
class Measurements:
    """What a file says, checked.

    Args:
        unit: of all numbers.
        costs: (n_blocks,) in the order of the blocks; NaN where there is none.
        archs: (m, d) canonical.
        networks: (m,) what these cost.
    """

    unit: str
    costs: Array
    archs: Archs
    networks: Array


def file_text(path: Path) -> str:
    """The text of a file.

    Raises:
        ArtifactError: it is missing, a folder, or no UTF-8 text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ArtifactError(f"{path} is not UTF-8 text") from None
    except OSError as error:
        raise ArtifactError(f"cannot read {path}", why=error.strerror or str(error)) from None


def checked(rows: Iterable[Row], blocks: Blocks, wanted: Wanted, file: Path) -> Measurements:
    """All rows as costs in the metric's unit; one that its name carries, or else that of the first row.

    Raises:
        UsageError: unknown blocks, one of them twice, what is no cost, an unknown unit; the first few with their place.
    """
    return _Check(blocks, wanted).all(list(rows), file)


class _Check:
    def __init__(self, blocks: Blocks, wanted: Wanted) -> None:
        self.blocks, self.wanted = blocks, wanted
        self.unit = unit_of(wanted.metric)
        self.positions = {block.id: i for i, block in enumerate(blocks.blocks)}
        self.costs: dict[int, float] = {}
        self.networks: dict[tuple[int, ...], float] = {}
        self.seen: dict[object, str] = {}
        self.unknown = 0

    def all(self, rows: Sequence[Row], file: Path) -> Measurements:
        wrong = [f"{row.where}: {problem}" for row in rows if (problem := self._problem(row))]
        if wrong:
            rest = [f"and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
            raise UsageError(f"{file}: {wrong[0]}", why="; ".join([*wrong[1:SHOWN], *rest]), hint=HINT)
        costs = np.array([self.costs.get(i, math.nan) for i in range(len(self.blocks.blocks))])
        archs = np.array(list(self.networks), dtype=np.int64).reshape(-1, len(self.blocks.space.sizes))
        return Measurements(self.unit or "1", costs, archs, np.array(list(self.networks.values())))

    def _problem(self, row: Row) -> str:
        """What is wrong with a row; "" where it was taken."""
        try:
            key = self._key(row)
            if row.value in (None, ""):
                return ""
            value = self._value(row)
        except (ValueError, OverflowError) as error:
            return str(error)
        except NascliError as error:
            return error.what
        if isinstance(key, int):
            self.costs[key] = value
        else:
            self.networks[key] = value
        return ""

    def _key(self, row: Row) -> int | tuple[int, ...]:
        if (row.block is None) == (row.arch is None):
            raise ValueError("expected a block's id or an architecture, one of them")
        key = self._position(row.block) if row.block is not None else self._arch(row.arch)
        if key in self.seen:
            what = "the block" if isinstance(key, int) else "the architecture"
            raise ValueError(f"{what} '{row.block or row.arch}' stands twice, first in {self.seen[key]}")
        self.seen[key] = row.where
        return key

    def _position(self, name: str) -> int:
        if name not in self.positions:
            self.unknown += 1
            near = closest(name, self.positions) if self.unknown <= SHOWN else ""
            raise ValueError(f"no block is called '{name}'{near}")
        return self.positions[name]

    def _arch(self, given: object) -> tuple[int, ...]:
        parts = given.replace(" ", "").split(",") if isinstance(given, str) else given
        if not isinstance(parts, list) or any(
            isinstance(part, bool) or not isinstance(part, str | int) for part in parts
        ):
            raise ValueError(f"'{given}' is no architecture: whole numbers with commas")
        space = self.blocks.space
        found = space.canonical(space.check(np.array([int(part) for part in parts])))[0]
        return tuple(found.tolist())

    def _value(self, row: Row) -> float:
        text = row.value
        if isinstance(text, bool) or not isinstance(text, str | int | float) or "_" in str(text):
            raise ValueError(f"'{text}' is no number")
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"'{text}' is no number") from None
        if not math.isfinite(value) or value < 0:
            raise ValueError(f"{text} is no cost: a finite number, 0 or more")
        unit = (row.unit or self.wanted.unit or self.unit or "1").strip().replace("μ", "µ")
        self.unit = self.unit or unit
        return convert(value, unit, self.unit)


HINT = "what can be measured, and the form of the file: nascli export-blocks --no-onnx"
