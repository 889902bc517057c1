"""What the candidates of a network cost: each is measured on what reached it when the network was recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nascli.cost.meter import Meter
from nascli.cost.model import Costs, Factor, Metric
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

Cost = int | float


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
    """The costs of a recorded network by one meter.

    Args:
        space: the network's.
        recording: of the network.
        meter: counts calls, or modules where it `counts_modules`.
    """

    def __init__(self, space: Space, recording: Recording, meter: Meter) -> None:
        self.space, self.recording, self.meter = space, recording, meter
        self.positions = {d.label: i for i, d in enumerate(space.decisions)}

    def metric(self) -> Metric:
        """The base and the factors; inexact where the recording is not complete or parts share parameters."""
        costs = self._by_module() if self.meter.counts_modules else self._by_call()
        base = min(costs[ALWAYS].values())
        costs[ALWAYS] = {index: cost - base for index, cost in costs[ALWAYS].items()}
        grown: dict[tuple[int, ...], Costs] = {}
        for where, by_run in costs.items():
            self._add(grown, where, by_run)
        covered = {i for decisions in grown for i in decisions}
        for i in set(range(len(self.space.decisions))) - covered:
            grown[(i,)] = np.zeros(self.space.sizes[i], dtype=np.int64)
        factors = tuple(Factor(decisions, values) for decisions, values in sorted(grown.items()))
        doubts = self._doubts()
        notes = {**self.meter.notes(), **doubts}
        return Metric(self.meter.metric, self.meter.unit, base, factors, self.meter.exact and not doubts, notes=notes)

    def _by_call(self) -> dict[Where, dict[Index, Cost]]:
        """What all calls under the same conditions cost together, in each run."""
        made = [(index, call) for index, calls in self.recording.runs.items() for call in calls]
        costs: dict[Where, dict[Index, Cost]] = defaultdict(lambda: dict.fromkeys(self.recording.runs, 0))
        for (index, call), cost in zip(made, self._measured([call for _, call in made]), strict=True):
            costs[(call.conditions,)][index] += cost
        return costs

    def _by_module(self) -> dict[Where, dict[Index, Cost]]:
        """What all modules of the same architectures cost together, whatever the run."""
        wheres, calls = wheres_of(self.recording.network), {call.module: call for call in self.recording.first}
        costs: dict[Where, Cost] = defaultdict(int)
        for module, cost in zip(calls, self._measured(list(calls.values())), strict=True):
            costs[wheres[module]] += cost
        return {where: dict.fromkeys(self.recording.runs, cost) for where, cost in costs.items()}

    def _measured(self, calls: Sequence[Call]) -> list[Cost]:
        """The cost of each call; equal ones are measured once, and all in one go."""
        known: Known = {}
        keys = [signature(call, known) for call in calls]
        distinct = {key: bound(call) for key, call in dict(zip(keys, calls, strict=True)).items()}
        measured = self.meter.measure_all([(block, block.shape) for block in distinct.values()])
        costs = dict(zip(distinct, measured, strict=True))
        return [costs[key] for key in keys]

    def _add(self, grown: dict[tuple[int, ...], Costs], where: Where, costs: Mapping[Index, Cost]) -> None:
        """Put the cost of a part into the cells of the architectures that run it."""
        varies = len(set(costs.values())) > 1
        labels = {label for conditions in where for label, _ in conditions}
        involved = self._closed(labels | set(self.recording.shifters if varies else ()))
        if not involved:
            return
        archs = self._grid(involved)
        there = np.zeros(len(archs), dtype=bool)
        for conditions in where:
            there |= self._hold(conditions, archs)
        values = np.where(there, self._values(archs, costs, varies), 0).reshape([self.space.sizes[i] for i in involved])
        grown[involved] = grown[involved] + values if involved in grown else values

    def _hold(self, conditions: Iterable[Condition], archs: Archs) -> npt.NDArray[np.bool_]:
        holds = np.ones(len(archs), dtype=bool)
        for label, indices in conditions:
            i = self.positions[label]
            holds &= np.isin(archs[:, i], indices) & self.space.exists_at(i, archs)
        return holds

    def _values(self, archs: Archs, costs: Mapping[Index, Cost], varies: bool) -> Costs:
        if not varies:
            return np.full(len(archs), next(iter(costs.values())))
        columns = [self.positions[label] for label in self.recording.shifters]
        return np.array([costs[tuple(row)] for row in archs[:, columns].tolist()])

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
        if not self.recording.complete and not self.meter.counts_modules:
            return {"inexact": f"shapes depend on too many joint indices of {', '.join(self.recording.shifters)}"}
        if self.meter.counts_modules and _shares_parameters(self.recording.network):
            return {"inexact": "parts of the network that may stand together share parameters, which are counted twice"}
        return {}


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
