"""Running a network once with all its candidates, to see what reaches each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from nascli.errors import NascliError, UsageError
from nascli.space import Condition
from nascli.supernet.choices import Occurrence, choices_of
from nascli.supernet.mutables import InputChoice, LayerChoice, Mutable, Repeat, Unit
from nascli.supernet.scope import choosing
from nascli.supernet.selected import reduce

MOST_RUNS = 64  # joint indices of the input choices whose result has no fixed shape

Shapes = Any
Index = tuple[int, ...]
Places = Mapping[Mutable, set[tuple[Condition, ...]]]


@dataclass
class Call:
    """One call of a part of a choice, or of the network itself.

    `conditions`: those under which it happens, outermost first, its own the last; none for the network.
    `inner`: the choices that it called, with what they gave, in order.
    """

    module: nn.Module
    conditions: tuple[Condition, ...]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    inner: list[tuple[Mutable, Any]] = field(default_factory=list)
    output: Any = None

    @property
    def shapes(self) -> Shapes:
        """The shapes of all tensors that came in, and of those that the choices inside gave."""
        return shapes((self.args, dict(self.kwargs), [given for _, given in self.inner]))


@dataclass(frozen=True)
class Recording:
    """A network and its runs: the calls of each, that of the network first, by the joint index of `shifters`.

    `shifters`: labels of the input choices on which shapes behind them depend, with their sizes.
    `complete`: False where they have too many joint indices to try them all; `runs` then holds the first one.
    """

    network: nn.Module
    shifters: Mapping[str, int]
    runs: Mapping[Index, Sequence[Call]]
    complete: bool

    @property
    def first(self) -> Sequence[Call]:
        """The calls of the first run; they reach every part of every choice."""
        return next(iter(self.runs.values()))


def shapes(tree: Any) -> Shapes:
    """The same nested structure with shapes in place of tensors."""
    return tree_map(lambda leaf: tuple(leaf.shape) if isinstance(leaf, Tensor) else leaf, tree)


def record(network: nn.Module, input_shape: Sequence[int]) -> Recording:
    """Run all candidates of a network on one input of zeros (1, C, H, W), in evaluation mode.

    Raises:
        UsageError: a candidate fails, candidates of one choice give different shapes, or a choice is called
            elsewhere than it stands, or never.
    """
    places = _places(occurrence for found in choices_of(network).values() for occurrence in found)
    network.eval()
    shifters: dict[str, int] = {}
    while True:
        complete = prod(shifters.values()) <= MOST_RUNS
        joint = product(*map(range, shifters.values())) if complete else iter([(0,) * len(shifters)])
        found, runs = dict(shifters), dict[Index, Sequence[Call]]()
        for index in joint:
            recorder = _Recorder(places, dict(zip(shifters, index, strict=True)))
            runs[index] = recorder.run(network, input_shape)
            found |= recorder.shifters
        if len(found) == len(shifters):
            break
        shifters = found  # shapes behind one input choice may make another one a shifter
    recording = Recording(network, shifters, runs, complete)
    called = {choice for call in recording.first for choice, _ in call.inner}
    if unused := [choice.label for choice in places if choice not in called]:
        raise UsageError(f"choice '{unused[0]}' is never called by the network's forward")
    return recording


def _places(occurrences: Iterable[Occurrence]) -> Places:
    places: dict[Mutable, set[tuple[Condition, ...]]] = {}
    for occurrence in occurrences:
        places.setdefault(occurrence.choice, set()).add(occurrence.conditions)
    return places


class _Recorder:
    """A chooser that runs every candidate and goes on with the first one's output.

    Args:
        places: where each choice of the network stands.
        indices: label → index of the input choices that do not take their first subset.
    """

    def __init__(self, places: Places, indices: Mapping[str, int]) -> None:
        self.places, self.indices = places, indices
        self.calls: list[Call] = []
        self.shifters: dict[str, int] = {}
        self._open: list[tuple[Call, tuple[Condition, ...]]] = []

    def run(self, network: nn.Module, input_shape: Sequence[int]) -> list[Call]:
        """One forward of the whole network."""
        with torch.no_grad(), choosing(self):
            self._call(type(network).__name__, Call(network, (), (torch.zeros(1, *input_shape),), {}), ())
        return self.calls

    def _call(self, what: str, call: Call, inside: tuple[Condition, ...]) -> Any:
        self.calls.append(call)
        self._open.append((call, inside))
        call.output = _guarded(what, call, lambda: call.module(*call.args, **call.kwargs))
        self._open.pop()
        return call.output

    def _unit(self, choice: Mutable, unit: Unit, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        around = self._open[-1][1]
        call = Call(unit.module, (*around, (choice.label or "", unit.indices)), args, kwargs)
        everywhere = len(unit.indices) == choice.decision.size
        what = f"candidate '{unit.name}' of '{choice.label}'"
        return self._call(what, call, around if everywhere else call.conditions)

    def _check_place(self, choice: Mutable) -> None:
        around, places = self._open[-1][1], self.places.get(choice)
        if places is None:
            hint = "assign it to an attribute, or put it into an nn.ModuleList"
            raise UsageError(f"choice '{choice.name}' is called, but it is no part of the network", hint=hint)
        if around not in places:
            what = f"choice '{choice.label}' stands {' and '.join(map(_words, sorted(places)))}"
            raise UsageError(f"{what}, but is called {_words(around)}", hint="call it where it stands")

    def _give(self, choice: Mutable, output: Any) -> Any:
        self._open[-1][0].inner.append((choice, output))
        return output

    def on_forward_layer_choice(self, choice: LayerChoice, *args: Any, **kwargs: Any) -> Any:
        self._check_place(choice)
        outputs = [self._unit(choice, unit, args, kwargs) for unit in choice.units()]
        _same_shapes(choice, choice.names, outputs)
        return self._give(choice, reduce(outputs[:1], None, choice.reduction))

    def on_forward_repeat(self, choice: Repeat, x: Any) -> Any:
        self._check_place(choice)
        reached = [x]
        for unit in choice.units():
            reached.append(self._unit(choice, unit, (reached[-1],), {}))
        depths = reached[choice.least :]
        _same_shapes(choice, choice.decision.candidates, depths)
        return self._give(choice, depths[0])

    def on_forward_input_choice(self, choice: InputChoice, tensors: list[Any]) -> Any:
        self._check_place(choice)
        decision, label = choice.decision, choice.label or ""
        alike = len({str(shapes(tensor)) for tensor in tensors}) == 1
        if choice.reduction in ("sum", "mean"):
            _same_shapes(choice, choice.choose_from, tensors)
        elif not alike or decision.n_chosen is None:
            self.shifters[label] = decision.size
        chosen = decision.chosen(self.indices.get(label, 0))
        return self._give(choice, reduce([tensors[i] for i in chosen], None, choice.reduction))


def _same_shapes(choice: Mutable, names: Sequence[str], outputs: Sequence[Any]) -> None:
    found = [shapes(output) for output in outputs]
    if any(shape != found[0] for shape in found[1:]):
        listed = ", ".join(f"{name} {_plain(shape)}" for name, shape in zip(names, found, strict=True))
        raise UsageError(f"the candidates of '{choice.label}' give different shapes: {listed}")


def _guarded(what: str, call: Call, run: Callable[[], Any]) -> Any:
    try:
        return run()
    except NascliError:
        raise
    except Exception as error:
        tensors = [leaf for leaf in tree_leaves((call.args, dict(call.kwargs))) if isinstance(leaf, Tensor)]
        found = ", ".join(str(_plain(tuple(tensor.shape))) for tensor in tensors)
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UsageError(f"{what} fails on input {found}", why=why[:300]) from error


def _plain(shape: Any) -> Any:
    """A shape without the batch."""
    is_shape = isinstance(shape, tuple) and shape and all(isinstance(size, int) for size in shape)
    return shape[1:] if is_shape else shape


def _words(conditions: tuple[Condition, ...]) -> str:
    """Where a choice is, for people."""
    inside = " in ".join(f"'{label}' {list(indices)}" for label, indices in reversed(conditions))
    return f"inside {inside}" if inside else "outside of other choices"
