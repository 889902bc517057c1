from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel, Factor, Metric
from nascli.errors import ArtifactError, BudgetSpent, RunFailed, UsageError
from nascli.search_strategy.base import Learned, Outcome
from nascli.search_strategy.generator import Generator
from nascli.testing.problem import FormulaProblem
from nascli.testing.spaces import chain, feasible, nested

MODEL = chain(np.random.default_rng(0).integers(0, 40, (8, 4)).tolist())
LOW, HIGH = FeasibleSet(MODEL).bounds("macs")
SMALL = {"width": 16, "layers": 1, "targets": 8, "priors": 2, "batch": 16}


def generator(**options: Any) -> Generator:
    return Generator(Generator.Config(**{"steps": 3, **SMALL, **options}))


def at(share: float) -> FeasibleSet:
    return feasible(MODEL, f"macs<={LOW + share * (HIGH - LOW)}")


def run(strategy: Generator, problem: FormulaProblem, seed: int = 0) -> Outcome:
    return strategy.search(problem, np.random.default_rng(seed))


def trained(**options: Any) -> tuple[Learned, Outcome]:
    made = generator(**options)
    outcome = run(made, FormulaProblem(at(1.0)))
    found = made.learned()
    assert found is not None
    return found, outcome


def later(state: Any, problem: FormulaProblem, **options: Any) -> Outcome:
    made = generator(**options)
    made.begin_with(state)
    return run(made, problem)


def test_every_step_asks_for_one_loss() -> None:
    problem = FormulaProblem(at(0.5))
    run(generator(steps=5), problem)
    assert problem.relaxed == 5


@pytest.mark.parametrize("mixture", ["gdas", "proxyless", "gumbel_softmax", "softmax", "sum"])
def test_all_mixtures_train(mixture: str) -> None:
    found = run(generator(mixture=mixture), FormulaProblem(feasible(nested(), "macs<=18")))
    assert len(found.archs)


def test_one_training_answers_any_constraint_without_another_loss() -> None:
    state = trained()[0].state
    for share in (0.05, 0.2, 0.5, 0.9, 1.0):
        problem = FormulaProblem(at(share))
        problem.offers = frozenset({"score"})
        found = later(state, problem)
        assert at(share).contains(found.archs).all()
        assert problem.relaxed == 0
        assert found.facts["generator"]["requested"] == pytest.approx(LOW + share * (HIGH - LOW))


def test_answers_are_scored_and_the_best_comes_first() -> None:
    problem = FormulaProblem(at(0.5))
    found = run(generator(answers=6), problem)
    scores = [score.accuracy for score in problem.score(found.archs)]
    assert scores == sorted(scores, reverse=True)
    assert 1 < len(found.archs) <= 6


def test_without_scores_it_answers_all_the_same() -> None:
    state = trained()[0].state
    problem = FormulaProblem(at(0.3))
    problem.offers = frozenset()
    found = later(state, problem)
    assert problem.asked == []
    assert at(0.3).contains(found.archs).all()


def test_requested_and_generated_costs_are_ranked_alike_before_any_repair() -> None:
    learned, outcome = trained(steps=150)
    assert learned.facts["tau"] == outcome.facts["generator"]["tau"] >= 0.8
    assert learned.facts["curve"]["requested"] == np.linspace(LOW, HIGH, 24).tolist()


def off(learned: Learned) -> float:
    """The mean distance of requested and generated costs, as a share of their range."""
    curve = learned.facts["curve"]
    return float(np.abs(np.array(curve["generated"]) - np.array(curve["requested"])).mean() / (HIGH - LOW))


def test_training_learns_costs_that_no_prior_has() -> None:
    untrained, taught = (trained(steps=steps, targets=1, priors=1)[0] for steps in (1, 300))
    assert off(untrained) > 0.1
    assert off(taught) < 0.05


def test_training_finds_cheap_ways_to_what_is_good() -> None:
    """The last candidate is the best one, and costs no more than the others: nothing is in its way."""
    model = chain([[5, 5, 5, 5]] * 4 + [[0, 10, 20, 30]] * 4)
    inside = feasible(model, "macs<=90")
    found = run(generator(steps=200, answers=1), FormulaProblem(inside))
    assert found.archs[0, :4].tolist() == [3, 3, 3, 3]


def test_the_share_of_repaired_answers_is_told() -> None:
    state = trained()[0].state
    whole = later(state, FormulaProblem(FeasibleSet(MODEL)))
    assert whole.facts["generator"]["repaired"] == 0
    cheapest = later(state, FormulaProblem(feasible(MODEL, f"macs<={LOW}")))
    generated = np.array(cheapest.facts["generator"]["generated"])
    assert cheapest.facts["generator"]["repaired"] == pytest.approx((generated > LOW).mean())


def two_metrics() -> CostModel:
    factors = tuple(Factor((i,), np.arange(4) / 8) for i in range(8))
    latency = Metric("latency_ms", "ms", 1.0, factors, exact=False)
    return CostModel(MODEL.space, {**MODEL.metrics, "latency_ms": latency})


@pytest.mark.parametrize(
    ("constraints", "options", "metric"),
    [
        (["latency_ms<=2.5", "macs<=200"], {}, "latency_ms"),
        ([], {}, "macs"),
        (["macs<=200"], {"metric": "latency_ms"}, "latency_ms"),
    ],
)
def test_the_metric_is_that_of_the_first_constraint_or_the_one_that_is_named(
    constraints: list[str], options: dict[str, str], metric: str
) -> None:
    problem = FormulaProblem(feasible(two_metrics(), *constraints))
    assert run(generator(**options), problem).facts["generator"]["metric"] == metric


def test_what_a_lower_bound_leaves_open_is_asked_for_at_the_top() -> None:
    found = later(trained()[0].state, FormulaProblem(feasible(MODEL, f"macs>={(LOW + HIGH) // 2}")))
    assert found.facts["generator"]["requested"] == HIGH


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(UsageError, match="no costs for the metric 'mac'"):
        run(generator(metric="mac"), FormulaProblem(at(0.5)))


def test_without_costs_there_is_nothing_to_ask_for() -> None:
    problem = FormulaProblem(at(0.5))
    problem.costs = CostModel(MODEL.space, {})
    problem.feasible = FeasibleSet(problem.costs)
    with pytest.raises(UsageError, match="asks for a cost"):
        run(generator(), problem)


def test_a_trained_network_answers_for_its_own_metric_alone() -> None:
    with pytest.raises(UsageError, match="trained for macs, not for params"):
        later(trained()[0].state, FormulaProblem(at(0.5)), metric="params")


@pytest.mark.parametrize(
    "change",
    [
        {"network": {}},
        {"network": {"width": 16, "layers": 1, "weights": {}}},
        {"network": 3},
        {"priors": None},
        {"priors": torch.full((2, 8), 9)},
        {"metric": None},
    ],
)
def test_a_broken_state_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises((ArtifactError, UsageError)):
        later({**trained()[0].state, **change}, FormulaProblem(at(0.5)))


def test_a_state_is_saved_by_the_search_that_trained_it_alone() -> None:
    state = trained()[0].state
    made = generator()
    made.begin_with(state)
    run(made, FormulaProblem(at(0.5)))
    assert made.learned() is None


class Late(FormulaProblem):
    """Whose time is up after step 2, and whose scores end after the first."""

    def keep(self, step: int, steps: int, state: Any, metric: str = "") -> bool:
        super().keep(step, steps, state, metric)
        return step < 2


def test_training_ends_when_the_time_is_up_and_the_answers_that_have_a_score_decide() -> None:
    problem, made = Late(at(0.5), budget=1), generator(steps=8)
    outcome = run(made, problem)
    assert problem.relaxed == 2
    assert len(outcome.archs) == 1
    learned = made.learned()
    assert learned is not None
    assert learned.facts["steps"] == 2


def test_without_any_score_left_the_search_ends_with_the_best_so_far() -> None:
    with pytest.raises(BudgetSpent):
        run(generator(), FormulaProblem(at(0.5), budget=0))


def test_a_loss_that_is_not_finite_fails_the_run() -> None:
    class Broken(FormulaProblem):
        def relaxed_loss(self, forward: Any) -> Any:
            return super().relaxed_loss(forward) * float("nan")

    with pytest.raises(RunFailed, match="not finite at step 0"):
        run(generator(), Broken(at(0.5)))


class Stopping(FormulaProblem):
    """Keeps like a run, and is stopped after step `last`."""

    last = 4

    def keep(self, step: int, steps: int, state: Any, metric: str = "") -> bool:
        has_time = super().keep(step, steps, state, metric)
        if step == self.last:
            from nascli.artifacts.torch_format import plain

            self.kept = step, plain(state())
            raise KeyboardInterrupt
        return has_time


def test_an_interrupted_training_goes_on_as_if_it_had_not_been() -> None:
    whole = generator(steps=8)
    expected = run(whole, FormulaProblem(at(0.4)))
    cut = Stopping(at(0.4))
    with pytest.raises(KeyboardInterrupt):
        run(generator(steps=8), cut)
    problem = FormulaProblem(at(0.4))
    problem.kept, problem.relaxed = cut.kept, cut.relaxed
    resumed = generator(steps=8)
    found = run(resumed, problem)
    assert problem.relaxed == 8
    assert found.archs.tolist() == expected.archs.tolist()
    first, second = whole.learned(), resumed.learned()
    assert first is not None
    assert second is not None
    weights = [learned.state["network"]["weights"] for learned in (first, second)]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
