from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.run import Run
from nascli.space import Archs
from nascli.training_strategy.uniform import Uniform
from tests.cost.helpers import chain, chi_square, everything, nested

UNIFORM = 5.0  # standard deviations


def strategy(model: CostModel) -> Uniform:
    made = Uniform()
    made.setup(model.space, model, FeasibleSet(model, []))
    return made


def drawn(model: CostModel, seed: int, steps: int) -> Archs:
    """The architectures of the first steps of a run (spaces whose decisions choose one candidate)."""
    uniform, run = strategy(model), Run(Path("supernet.pt"), seed=seed)
    archs = []
    for step in range(steps):
        (update,) = uniform.updates(step, run.rng("path", step))
        archs.append([next(iter(update.passes[0].forward[d.label].active), 0) for d in model.space.decisions])
    return np.array(archs)


@pytest.mark.parametrize("model", [chain({"macs": [[0] * 3, [0] * 4, [0] * 2]}), nested()], ids=["chain", "nested"])
def test_paths_are_uniform_over_the_architectures(model: CostModel) -> None:
    among = everything(model.space)
    assert abs(chi_square(drawn(model, 3, 120 * len(among)), among)) < UNIFORM


def test_a_path_is_a_function_of_seed_and_step() -> None:
    model = chain({"macs": [[0] * 9] * 8})
    long, again, other = drawn(model, 0, 20), drawn(model, 0, 12), drawn(model, 1, 20)
    assert np.array_equal(long[:12], again)
    assert (long != other).any(axis=1).all()
    assert len(np.unique(long, axis=0)) == 20


def test_a_step_is_one_update_of_one_path_on_the_labels() -> None:
    updates = list(strategy(nested()).updates(0, np.random.default_rng(0)))
    (only,) = updates
    (path,) = only.passes
    assert (only.split, only.params, only.penalty) == ("train", "weights", None)
    assert (path.target, path.scale) == ("labels", 1.0)
    assert all(len(selection.active) == 1 and selection.weights is None for selection in path.forward.values())


def test_it_has_neither_architecture_parameters_nor_a_state() -> None:
    uniform = strategy(nested())
    assert (uniform.arch_parameters(), uniform.state_dict()) == ({}, {})
