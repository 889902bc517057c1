"""What a step does, counted: the same on every machine, whatever its speed."""

from __future__ import annotations

import pytest

from nascli.training_agent.loop import Trainer
from tests.benchmarks.table import Options
from tests.benchmarks.training_counts import operations_beside, optimiser_steps, updated, weight_gradients
from tests.benchmarks.training_work import strategy_of, trainer_of


def trainer(strategy: str) -> Trainer:
    return trainer_of("tiny", strategy_of(strategy), 4, Options(seconds=0))


def test_a_single_path_step_has_no_operation_more_than_the_same_blocks_in_a_row() -> None:
    more, plain = operations_beside(trainer("uniform"))
    assert plain > 100
    assert more == {}


def test_the_optimiser_touches_the_weights_of_the_path_alone() -> None:
    on, beside, everything = updated(trainer("uniform"))
    assert beside == 0
    assert 0 < on < everything / 2


@pytest.mark.parametrize("form", ["softmax", "gumbel_softmax", "sum", "gdas", "proxyless"])
def test_an_architecture_step_computes_no_gradient_of_a_weight(form: str) -> None:
    arch, weights = weight_gradients(trainer(form))
    assert (arch, weights > 0) == (0, True)


def test_fair_training_runs_all_paths_in_one_optimiser_step() -> None:
    assert optimiser_steps(trainer("fair")) == (1, 5)
