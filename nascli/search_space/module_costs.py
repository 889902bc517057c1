"""What the candidates of a network cost: each is measured on what reached it when the network was recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial, reduce
from itertools import combinations, product
from operator import and_
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nascli.cost.blocks import Blocks, Cells, CostBlock, Whole, block_id
from nascli.search_space.recorded_modules import Known, bound, signature
from nascli.search_space.recording import Call, Index, Recording
from nascli.space import Archs, Condition, Space
from nascli.supernet.choices import choices_of
from nascli.supernet.mutables import Mutable

if TYPE_CHECKING:
    from torch import nn

Where = tuple[tuple[Condition, ...], ...]
"""Alternatives: a part of a network is there where all conditions of any of them hold."""

ALWAYS: Where = ((),)

Found = dict[Where, dict[Index, Counter[int]]]
"""How often each block is there under some conditions, in each run."""


def wheres_of(network: nn.Module) -> dict[nn.Module, Where]:
    """In which architectures the network itself, and each part of each choice, is there."""
    found: dict[nn.Module, list[tuple[Condition, ...]]] = {}
    for label, places in choices_of(network).items():
        for place in places:
            for unit in place.choice.units():
                found.setdefault(unit.module, []).append((*place.conditions, (label, unit.indices)))
    return {network: ALWAYS, **{module: tuple(dict.fromkeys(several)) for module, several in found.items()}}


def tied_of(recording: Recording) -> tuple[tuple[str, ...], ...]:
    """Decisions that share a cost though they may not hang on each other."""
    together = [
        {label for conditions in where for label, _ in conditions} for where in wheres_of(recording.network).values()
    ]
    seen: dict[tuple[Condition, ...], list[list[Any]]] = {}
    for run, calls in enumerate(recording.runs.values()):
        for call in calls:
            several = seen.setdefault(call.conditions, [[] for _ in recording.runs])
            several[run].append(call.shapes)
    for conditions, shapes in seen.items():
        if any(other != shapes[0] for other in shapes[1:]):
            together.append({*recording.shifters, *(label for label, _ in conditions)})
    return tuple(dict.fromkeys(tuple(sorted(labels)) for labels in together if len(labels) > 1))


class Costing:
    """The blocks of a recorded network: its calls, or its modules, whatever the choices inside of them are.

    Args:
        space: the network's.
        recording: of the network.
        counts_modules: whether a module is there once, however often it is called.
    """

    def __init__(self, space: Space, recording: Recording, counts_modules: bool) -> None:
        self.space, self.recording, self.counts_modules = space, recording, counts_modules
        self.positions = {d.label: i for i, d in enumerate(space.decisions)}
        self._known: Known = {}
        self._numbers: dict[str, int] = {}
        self._distinct: list[CostBlock] = []

    def blocks(self) -> Blocks:
        """The distinct ones and their places; with doubts where the recording is not complete, or parts are shared."""
        found = self._by_module() if self.counts_modules else self._by_call()
        base, found[ALWAYS] = _common(found[ALWAYS])
        grown: dict[tuple[int, ...], list[tuple[Whole, Whole]]] = {}
        for where, by_run in found.items():
            self._add(grown, where, by_run)
        covered = {i for decisions in grown for i in decisions}
        for i in set(range(len(self.space.decisions))) - covered:
            grown[(i,)] = [(np.zeros(0, dtype=np.int64),) * 2]
        parts = (Cells(decisions, *map(np.concatenate, zip(*pairs, strict=True))) for decisions, pairs in grown.items())
        ordered = tuple(sorted(parts, key=lambda part: part.decisions))
        return Blocks(self.space, tuple(self._distinct), _array(base), ordered, self._doubts())

    def _by_call(self) -> Found:
        """All calls under the same conditions, in each run."""
        found: Found = {}
        for index, calls in self.recording.runs.items():
            for call in calls:
                by_run = found.setdefault((call.conditions,), {run: Counter() for run in self.recording.runs})
                by_run[index][self._number(call)] += 1
        return found

    def _by_module(self) -> Found:
        """All modules of the same architectures, whatever the run."""
        wheres, calls = wheres_of(self.recording.network), {call.module: call for call in self.recording.first}
        found: dict[Where, Counter[int]] = {}
        for module, call in calls.items():
            found.setdefault(wheres[module], Counter())[self._number(call)] += 1
        return {where: dict.fromkeys(self.recording.runs, counts) for where, counts in found.items()}

    def _number(self, call: Call) -> int:
        """The position of a call's block; equal calls have one. Their order is that of the recording, always."""
        key = signature(call, self._known)
        if key not in self._numbers:
            self._numbers[key] = len(self._distinct)
            self._distinct.append(_cost_block(call, len(self._distinct)))
        return self._numbers[key]

    def _add(
        self, grown: dict[tuple[int, ...], list[tuple[Whole, Whole]]], where: Where, found: Mapping[Index, Counter[int]]
    ) -> None:
        """Put a part into the cells of the architectures that run it."""
        first = next(iter(found.values()))
        varies = any(counts != first for counts in found.values())
        labels = {label for conditions in where for label, _ in conditions}
        involved = self._closed(labels | set(self.recording.shifters if varies else ()))
        if not involved:
            return
        archs = self._grid(involved)
        there = np.zeros(len(archs), dtype=bool)
        for conditions in where:
            there |= self._hold(conditions, archs)
        columns = [self.positions[label] for label in self.recording.shifters] if varies else []
        pairs = [
            (int(cell), block)
            for cell in np.flatnonzero(there)
            for block in (found[tuple(archs[cell, columns].tolist())] if varies else first).elements()
        ]
        grown.setdefault(involved, []).append((_array(cell for cell, _ in pairs), _array(block for _, block in pairs)))

    def _hold(self, conditions: Iterable[Condition], archs: Archs) -> npt.NDArray[np.bool_]:
        holds = np.ones(len(archs), dtype=bool)
        for label, indices in conditions:
            i = self.positions[label]
            holds &= np.isin(archs[:, i], indices) & self.space.exists_at(i, archs)
        return holds

    def _closed(self, labels: Iterable[str]) -> tuple[int, ...]:
        """The positions of some decisions and of all that they hang on."""
        found, waiting = set[int](), [self.positions[label] for label in labels]
        while waiting:
            i = waiting.pop()
            if i not in found:
                found.add(i)
                waiting += [self.positions[label] for label, _ in self.space.decisions[i].active_if]
        return tuple(sorted(found))

    def _grid(self, involved: tuple[int, ...]) -> Archs:
        """All joint indices of some decisions, the others 0, (n, d)."""
        joint = np.array(list(product(*(range(self.space.sizes[i]) for i in involved))), dtype=np.int64)
        archs = np.zeros((len(joint), len(self.space.decisions)), dtype=np.int64)
        archs[:, list(involved)] = joint
        return archs

    def _doubts(self) -> dict[str, str]:
        """Why totals may differ from what the decoded network costs."""
        if not self.recording.complete and not self.counts_modules:
            return {"inexact": f"shapes depend on too many joint indices of {', '.join(self.recording.shifters)}"}
        if self.counts_modules and _shares_parameters(self.recording.network):
            return {"inexact": "parts of the network that may stand together share parameters, which are counted twice"}
        return {}


def _cost_block(call: Call, number: int) -> CostBlock:
    shape = bound(call).shape
    name = type(call.module).__name__
    return CostBlock(block_id(name, shape, f"{number:03d}"), name, shape, partial(bound, call))


def _common(by_run: Mapping[Index, Counter[int]]) -> tuple[Iterable[int], dict[Index, Counter[int]]]:
    """What all runs share, and the rest of each."""
    common = reduce(and_, by_run.values())
    return common.elements(), {index: counts - common for index, counts in by_run.items()}


def _array(numbers: Iterable[int]) -> Whole:
    return np.array(list(numbers), dtype=np.int64)


def _shares_parameters(network: nn.Module) -> bool:
    """Whether a parameter belongs to two parts that one architecture may have together."""
    owners: dict[int, list[Where]] = {}
    for module, where in wheres_of(network).items():
        for parameter in set(_own_parameters(module)):
            owners.setdefault(parameter, []).append(where)
    return any(not _exclusive(*pair) for several in owners.values() for pair in combinations(several, 2))


def _exclusive(one: Where, other: Where) -> bool:
    """Whether no architecture has both: some decision would need two indices."""
    return all(
        any(a == b and not set(i) & set(k) for a, i in first for b, k in second)
        for first, second in product(one, other)
    )


def _own_parameters(module: nn.Module) -> Iterator[int]:
    """The identities of the parameters outside of all choices."""
    if isinstance(module, Mutable):
        return
    yield from map(id, module.parameters(recurse=False))
    for child in module.children():
        yield from _own_parameters(child)
