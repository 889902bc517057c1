"""The distinct blocks of a search space, and how the costs of its architectures are made of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nascli.artifacts.lookup_table import Joins
from nascli.cost.model import Costs, Factor
from nascli.space import Archs, Space

if TYPE_CHECKING:
    from torch import nn

Whole = npt.NDArray[np.int64]

ROUNDING = 1e-12  # relative

FIXED = ("fixed",)
"""The place of what every architecture has."""


@dataclass(frozen=True)
class Operation:
    """A block as plain data, by which tables of other tools are read.

    Args:
        op: the name of its builder: "mobile".
        options: of the builder.
        out_channels: what it makes.
        stride: by which it divides height and width, rounded up.
    """

    op: str
    options: Mapping[str, Any]
    out_channels: int
    stride: int


@dataclass(frozen=True)
class CostBlock:
    """One distinct (candidate or fixed part, input shape).

    Args:
        id: the same in every process and on every machine, for one space; fit for a file name.
        name: for people.
        shape: of its input without the batch, (C, H, W).
        build: makes the module, with fresh weights.
        operation: what it is, where the space knows it as data.
    """

    id: str
    name: str
    shape: tuple[int, ...]
    build: Callable[[], nn.Module] = field(compare=False, repr=False)
    operation: Operation | None = field(default=None, compare=False)


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of one factor and the blocks in them.

    Args:
        decisions: positions of the decisions, as of a `Factor`.
        cells: (k,) places in the raveled factor (C order); a cell may be named several times, or never.
        blocks: (k,) the position of the block that each of them holds.
    """

    decisions: tuple[int, ...]
    cells: Whole
    blocks: Whole


@dataclass(frozen=True)
class Place:
    """Where a block stands: `times` in the architectures that choose these candidates, `()` of them in all.

    Args:
        decisions: their labels; `FIXED` for the fixed parts.
        candidates: the name of the chosen index of each decision.
        times: how often the block is there.
    """

    decisions: tuple[str, ...]
    candidates: tuple[str, ...]
    times: int

    @property
    def text(self) -> str:
        """In words: "layer_03=skip", or "fixed"."""
        return "=".join(", ".join(part) for part in (self.decisions, self.candidates) if part)


@dataclass(frozen=True, eq=False)
class Blocks:
    """All distinct blocks of a space, and where each of them stands.

    The cost of an architecture is the sum, or the maximum, of the costs of its blocks, whatever is measured.

    Args:
        space: whose blocks they are.
        blocks: each distinct one once, ids all different.
        base: (k,) positions of the blocks of the fixed parts, repeated where they stand several times.
        parts: the searched blocks; together they cover every decision.
        doubts: why totals may differ from what decoded networks cost; empty where they do not.
        chained: whether nothing but the next block needs what a block gives.
    """

    space: Space
    blocks: tuple[CostBlock, ...]
    base: Whole
    parts: tuple[Cells, ...]
    doubts: Mapping[str, str] = field(default_factory=dict)
    chained: bool = False

    @cached_property
    def without_values(self) -> list[tuple[nn.Module, tuple[int, ...]]]:
        """The modules and their input shapes, on the meta device; kept, since several meters look at shapes alone."""
        import torch

        with torch.device("meta"):
            return self.built()

    def built(self) -> list[tuple[nn.Module, tuple[int, ...]]]:
        """New modules and their input shapes."""
        return [(block.build(), block.shape) for block in self.blocks]

    def assembled(
        self, costs: Sequence[int | float], joins: Joins = "sum", fixed: float = 0.0
    ) -> tuple[int | float, tuple[Factor, ...]]:
        """The base and the factors of a cost model, from what each block costs, in the order of `blocks`.

        Args:
            fixed: what the base gets besides, negative where its blocks cost less together; what rounding alone leaves
                of both is 0, and no base is below it.
        """
        known, join = np.asarray(costs), np.add if joins == "sum" else np.maximum
        factors = tuple(Factor(part.decisions, self._cells(part, known, join)) for part in self.parts)
        base = join.reduce(known[self.base], initial=0).item()
        if fixed:
            base = base + fixed if base + fixed > ROUNDING * base else 0.0
        return base, factors

    def _cells(self, part: Cells, known: Costs, join: np.ufunc) -> Costs:
        sizes = tuple(self.space.sizes[i] for i in part.decisions)
        values = np.zeros(prod(sizes), dtype=known.dtype)
        join.at(values, part.cells, known[part.blocks])
        return values.reshape(sizes)

    def counts(self, archs: Archs) -> Whole:
        """How often each architecture (n, d), made canonical first, has each block: (n, n_blocks)."""
        archs = self.space.canonical(np.atleast_2d(archs))
        found = np.tile(np.bincount(self.base, minlength=len(self.blocks)), (len(archs), 1))
        for part in self.parts:
            sizes = tuple(self.space.sizes[i] for i in part.decisions)
            chosen = np.ravel_multi_index(tuple(archs[:, i] for i in part.decisions), sizes)
            rows, entries = np.nonzero(chosen[:, None] == part.cells[None, :])
            np.add.at(found, (rows, part.blocks[entries]), 1)
        return found

    @cached_property
    def places(self) -> tuple[tuple[Place, ...], ...]:
        """Where each block stands, in the order of `blocks`."""
        found: list[list[Place]] = [[] for _ in self.blocks]
        for block, times in zip(*np.unique(self.base, return_counts=True), strict=True):
            found[int(block)].append(Place(FIXED, (), int(times)))
        for part in self.parts:
            for (cell, block), times in _counted(part):
                found[block].append(self._place(part, cell, times))
        return tuple(map(tuple, found))

    def _place(self, part: Cells, cell: int, times: int) -> Place:
        decisions = [self.space.decisions[i] for i in part.decisions]
        indices = np.unravel_index(cell, tuple(d.size for d in decisions))
        names = (d.name(int(i)) for d, i in zip(decisions, indices, strict=True))
        return Place(tuple(d.label for d in decisions), tuple(names), times)


def _counted(part: Cells) -> Iterable[tuple[tuple[int, ...], int]]:
    pairs, times = np.unique(np.stack([part.cells, part.blocks], axis=1), axis=0, return_counts=True)
    return zip(map(tuple, pairs.tolist()), times.tolist(), strict=True)


def block_id(name: str, shape: Sequence[Any], mark: str) -> str:
    """An id that says what a block is; `mark` tells it from others of the same name and shape."""
    plain = re.sub(r"[^A-Za-z0-9_.+-]+", "-", name).strip("-.")[:60] or "block"
    return f"{plain}_{'x'.join(map(str, shape))}_{mark}"
