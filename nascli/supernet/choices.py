"""The decisions of a network: which choices it has, which of them are one, and which hang on others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import nn

from nascli.errors import UsageError
from nascli.space import Condition, Decision
from nascli.supernet.mutables import InputChoice, Mutable


@dataclass(frozen=True)
class Occurrence:
    """A choice in its place; it runs where all `conditions`, those of the choices around it, hold, outermost first."""

    choice: Mutable
    conditions: tuple[Condition, ...]


def choices_of(network: nn.Module) -> dict[str, list[Occurrence]]:
    """Label → the places that follow this decision, in the order of the modules; names choices without a label.

    Raises:
        UsageError: no choice at all; choices with one label and different candidates; a choice without a label in a
            place that is another one's label.
    """
    taken = frozenset(m.label for m in network.modules() if isinstance(m, Mutable) and m.label is not None)
    found: dict[str, list[Occurrence]] = {}
    for occurrence in _occurrences(network, "", (), taken):
        found.setdefault(occurrence.choice.label or "", []).append(occurrence)
    if not found:
        raise UsageError(
            f"{type(network).__name__} has nothing to search",
            hint="put nascli.supernet.mutables.LayerChoice, InputChoice or Repeat into it",
        )
    for label, places in found.items():
        _check_alike(label, [place.choice for place in places])
    return found


def _occurrences(
    module: nn.Module, path: str, conditions: tuple[Condition, ...], taken: frozenset[str]
) -> Iterator[Occurrence]:
    if not isinstance(module, Mutable):
        for name, child in module.named_children():
            yield from _occurrences(child, _below(path, name), conditions, taken)
        return
    if module.label is None:
        module.label = _free(path or "choice", taken)
    yield Occurrence(module, conditions)
    size = module.decision.size
    for unit in module.units():
        inside = conditions if len(unit.indices) == size else (*conditions, (module.label, unit.indices))
        yield from _occurrences(unit.module, _below(path, unit.name), inside, taken)


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _free(path: str, taken: frozenset[str]) -> str:
    if path in taken:
        raise UsageError(
            f"the choice at '{path}' has no label, and another choice is called '{path}'",
            hint=f"give it one: label='{path}' to choose alike, or any other",
        )
    return path


def _check_alike(label: str, choices: list[Mutable]) -> None:
    first = choices[0].decision
    for other in choices[1:]:
        if other.decision != first:
            a, b = ("/".join(d.candidates) for d in (first, other.decision))
            raise UsageError(
                f"two choices are called '{label}', but they differ: {a} of {first.n_chosen}, "
                f"{b} of {other.decision.n_chosen}",
                why="choices with one label are one decision",
            )


def decisions_of(network: nn.Module) -> tuple[Decision, ...]:
    """The decisions of a network, each behind those that it hangs on.

    Raises:
        UsageError: as `choices_of`; or an input choice names a choice that stands inside another one.
    """
    found = choices_of(network)
    links = dict(_links(found))
    decisions = {
        label: replace(places[0].choice.decision, active_if=links.get(label) or _conditions(places))
        for label, places in found.items()
    }
    return tuple(_parents_first(decisions))


def _conditions(places: list[Occurrence]) -> tuple[Condition, ...]:
    """Where a decision exists: in any of its places; always, if one of them is always there."""
    merged: dict[str, set[int]] = {}
    for place in places:
        if not place.conditions:
            return ()
        label, indices = place.conditions[-1]
        merged.setdefault(label, set()).update(indices)
    return tuple((label, tuple(sorted(indices))) for label, indices in merged.items())


def _links(found: dict[str, list[Occurrence]]) -> Iterator[tuple[str, tuple[Condition, ...]]]:
    """What the names in `choose_from` say: a choice is used by those input choices that name it, and only there."""
    users: dict[str, dict[str, tuple[int, ...]]] = {}
    for label, places in found.items():
        choice, decision = places[0].choice, places[0].choice.decision
        has_names = isinstance(choice, InputChoice) and choice.is_named
        for i, name in enumerate(decision.candidates if has_names else ()):
            if name in found and name != label:
                users.setdefault(name, {})[label] = decision.indices_with(i)
    for used, by in users.items():
        for label in by:
            if _conditions(found[used]) != _conditions(found[label]):
                raise UsageError(f"input choice '{label}' names '{used}', which stands inside another choice than it")
        yield used, tuple(by.items())


def _parents_first(decisions: dict[str, Decision]) -> Iterator[Decision]:
    waiting, known = dict(decisions), set[str]()
    while waiting:
        ready = [label for label, d in waiting.items() if all(parent in known for parent, _ in d.active_if)]
        if not ready:
            raise UsageError(f"the choices {', '.join(waiting)} hang on each other in a circle")
        label = ready[0]
        known.add(label)
        yield waiting.pop(label)
