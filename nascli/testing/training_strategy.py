"""What every training strategy keeps."""

from __future__ import annotations

import io
from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from nascli.cost.feasible import FeasibleSet
from nascli.space import Decision, Selection, Space
from nascli.testing.randomness import no_global_randomness
from nascli.testing.spaces import usual
from nascli.training_strategy.base import Losses, Pass, TrainingStrategy, Update

if TYPE_CHECKING:
    from nascli.supernet.base import Supernet

STEPS = 6
MOST = 100  # updates a step

Facts = tuple[Any, ...]


class TrainingStrategyContract:
    """Tests to inherit; `make = MyStrategy`, or a method that returns a new strategy, is all they need."""

    def make(self) -> TrainingStrategy:
        """A new strategy; called several times a test."""
        raise NotImplementedError("set `make` to the class of the strategy")

    def feasible_sets(self) -> list[FeasibleSet]:
        """Where it is tried; override it to leave out spaces that the strategy refuses."""
        return usual()

    def ready(self, feasible: FeasibleSet) -> tuple[TrainingStrategy, Supernet]:
        """A new strategy after its `setup`, and the network that it is bound to."""
        from nascli.testing.network import network

        strategy, module = self.make(), network(feasible.space)
        strategy.setup(feasible.space, feasible.model, feasible)
        strategy.bind(module)
        return strategy, module

    def test_every_forward_fits_the_space(self) -> None:
        for feasible in self.feasible_sets():
            strategy, _ = self.ready(feasible)
            for step in range(STEPS):
                for update in updates(strategy, step):
                    check_update(update, feasible.space)

    def test_its_updates_are_a_function_of_seed_and_step(self) -> None:
        for feasible in self.feasible_sets():
            runs = [recorded(*self.ready(feasible), range(STEPS)) for _ in range(2)]
            assert runs[0] == runs[1], "equal seeds, but other updates"

    def test_it_goes_on_from_its_state(self) -> None:
        for feasible in self.feasible_sets():
            interrupted, resumed = self.ready(feasible), self.ready(feasible)
            recorded(*interrupted, range(STEPS // 2))
            resumed[0].load_state_dict(stored(interrupted[0].state_dict()))
            later = range(STEPS // 2, STEPS)
            assert recorded(*resumed, later) == recorded(*interrupted, later), "`state_dict` leaves something out"

    def test_architecture_parameters_named_like_a_decision_have_its_size(self) -> None:
        for feasible in self.feasible_sets():
            sizes = dict(zip((d.label for d in feasible.space.decisions), feasible.space.sizes, strict=True))
            for name, parameter in self.ready(feasible)[0].arch_parameters().items():
                size = sizes.get(name)
                assert size is None or parameter.shape == (size,), f"'{name}' has {size} indices"

    def test_it_leaves_the_global_random_states_alone(self) -> None:
        for feasible in self.feasible_sets():
            with no_global_randomness():
                recorded(*self.ready(feasible), range(STEPS))


def updates(strategy: TrainingStrategy, step: int) -> list[Update]:
    """The updates of a step, each answered with losses that depend on nothing else."""
    import torch

    found: list[Update] = []
    generator = strategy.updates(step, np.random.default_rng([0, step]))
    losses: Losses | None = None
    while len(found) < MOST:
        try:
            found.append(generator.send(losses) if losses else next(generator))
        except StopIteration:
            break
        n = len(found[-1].passes)
        losses = Losses([torch.tensor(1.0 + i) for i in range(n)], [torch.tensor(0.5)] * n)
    assert 0 < len(found) < MOST, f"step {step} has {len(found)} updates; 1 to {MOST - 1} make sense"
    return found


def recorded(strategy: TrainingStrategy, module: Supernet, steps: range) -> list[Facts]:
    """The updates of some steps as plain values."""
    return [facts(update, module) for step in steps for update in updates(strategy, step)]


def facts(update: Update, module: Supernet) -> Facts:
    """An update as plain values; `module` tells what a pass without a forward runs."""
    passes = [(_forward(p, module), p.target, p.scale) for p in update.passes]
    penalty = None if update.penalty is None else update.penalty().item()
    return (passes, update.split, update.params, penalty)


def _forward(path: Pass, module: Supernet) -> dict[str, Facts] | float:
    if path.forward is None:
        from nascli.testing.network import left_over

        return left_over(module)
    return {label: (s.active, None if s.weights is None else s.weights.tolist()) for label, s in path.forward.items()}


def stored(state: Mapping[str, Any]) -> Any:
    """A state as a checkpoint gives it back: tensors and plain values alone survive."""
    import torch

    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


def check_update(update: Update, space: Space) -> None:
    """Raises AssertionError where the training agent could not run an update."""
    assert update.passes or update.penalty, "an update without passes and without a penalty does nothing"
    for i, path in enumerate(update.passes):
        assert isfinite(path.scale), f"pass {i}: its scale is {path.scale}"
        earlier = path.target == "labels" or 0 <= path.target < i
        assert earlier, f"pass {i}: its target is '{path.target}', no earlier pass and not 'labels'"
        if path.forward is not None:
            labels = {d.label for d in space.decisions}
            assert path.forward.keys() == labels, f"pass {i}: differs in {sorted(path.forward.keys() ^ labels)}"
            for decision in space.decisions:
                check_selection(path.forward[decision.label], decision)


def check_selection(selection: Selection, decision: Decision) -> None:
    """Raises AssertionError unless existing candidates run, each once, with a weight each.

    None may run where the decision can be absent.
    """
    active, label, candidates = selection.active, decision.label, len(decision.candidates)
    assert active or decision.active_if, f"'{label}': no candidate runs"
    assert all(0 <= i < candidates for i in active), f"'{label}': runs {active} of {candidates} candidates"
    assert len(set(active)) == len(active), f"'{label}': a candidate runs twice: {active}"
    if selection.weights is not None:
        assert selection.weights.shape == (len(active),), f"'{label}': {len(active)} candidates need as many weights"
