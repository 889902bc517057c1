from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nascli.config import Origin, validate
from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.errors import ConfigError, UsageError
from nascli.training_strategy.hardware import HardwareConfig, Penalty, penalty_of
from tests.cost.helpers import chain, nested

from .helpers import cell_costs

COSTS = chain({"macs": [[0, 10, 20], [0, 40]], "latency_ms": [[1.0, 2.0, 3.0], [1.0, 4.0]]}, base=10)


def term(model: CostModel = COSTS, **options: object) -> Penalty:
    return penalty_of(HardwareConfig(**{"metric": "macs", **options}), FeasibleSet(model))


def mixed(share: float) -> list[Tensor]:
    """Probabilities whose expected macs are 10 + 20 · share + 40 · share."""
    return [torch.tensor([1 - share, 0, share], dtype=torch.float64), torch.tensor([1 - share, share]).double()]


def one_hot(model: CostModel, arch: Sequence[int]) -> list[Tensor]:
    return [torch.eye(size, dtype=torch.float64)[i] for size, i in zip(model.space.sizes, arch, strict=True)]


def uniform(model: CostModel) -> list[Tensor]:
    return [torch.full((size,), 1 / size, dtype=torch.float64) for size in model.space.sizes]


MODELS = pytest.mark.parametrize("model", [COSTS, cell_costs(), nested()], ids=["chain", "cell", "nested"])


@MODELS
def test_without_a_target_it_is_the_share_of_what_uniform_probabilities_cost(model: CostModel) -> None:
    archs = np.array(list(product(*map(range, model.space.sizes))))
    for metric in model.metrics:
        totals = model.total(metric, archs)
        penalty = term(model, metric=metric, weight=0.3)
        assert penalty(uniform(model)).item() == pytest.approx(0.3)
        for arch, total in zip(archs[::7], totals[::7], strict=True):
            assert penalty(one_hot(model, arch)).item() == pytest.approx(0.3 * total / totals.mean())


@MODELS
@given(seed=st.integers(0, 100))
def test_the_cost_of_a_one_hot_is_the_total_of_the_table(model: CostModel, seed: int) -> None:
    arch = np.random.default_rng(seed).integers(0, model.space.sizes)
    for metric in model.metrics:
        target = model.total(metric, arch)[0].item()
        assert term(model, metric=metric, target=target, form="target")(one_hot(model, arch)).item() == 0


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4999])
def test_below_the_target_at_most_costs_nothing_and_pulls_nowhere(share: float) -> None:
    probabilities = [p.requires_grad_() for p in mixed(share)]
    penalty = term(target=40.0)(probabilities)
    gradients = torch.autograd.grad(penalty, probabilities)
    assert penalty.item() == 0
    assert all(torch.equal(g, torch.zeros_like(g)) for g in gradients)


@pytest.mark.parametrize("form", ["at_most", "target"])
def test_above_the_target_the_relative_excess_is_squared(form: str) -> None:
    penalty = term(target=40.0, weight=5.0, form=form)
    assert penalty(mixed(0.75)).item() == pytest.approx(5.0 * (55 / 40 - 1) ** 2)


def test_a_target_also_counts_what_lies_below() -> None:
    assert term(target=40.0, weight=5.0, form="target")(mixed(0.25)).item() == pytest.approx(5.0 * (25 / 40 - 1) ** 2)


def test_an_unknown_metric_is_refused_with_the_closest_name() -> None:
    with pytest.raises(UsageError, match="'latency_mss'; did you mean 'latency_ms'"):
        term(metric="latency_mss")


def test_a_metric_that_costs_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="every architecture has macs=0"):
        term(chain({"macs": [[0, 0], [0]]}))


@pytest.mark.parametrize(("form", "target"), [("at_most", 9.0), ("target", 9.0), ("target", 71.0)])
def test_a_target_that_nothing_reaches_is_refused(form: str, target: float) -> None:
    with pytest.raises(UsageError, match=f"no architecture reaches macs={target:.0f}") as caught:
        term(form=form, target=target)
    assert caught.value.why == "there is macs>=10 and macs<=70"


@pytest.mark.parametrize(("form", "target"), [("at_most", 10.0), ("at_most", 71.0), ("target", 10.0), ("target", 70.0)])
def test_targets_up_to_the_ends_are_taken(form: str, target: float) -> None:
    assert term(form=form, target=target)(one_hot(COSTS, (0, 0))).isfinite()


def test_the_form_target_needs_one() -> None:
    with pytest.raises(ConfigError, match="form: target needs a target"):
        validate(HardwareConfig, {"metric": "macs", "form": "target"}, Origin())
