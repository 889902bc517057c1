from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from nascli.space import Decision, Forward, Selection, Space, Unordered
from nascli.supernet.mixtures import SAMPLED, drawn_path, gumbel
from tests.training_strategy.helpers import CELL

from .forms import DATA, DOUBLE, FORMS, LABELS, SUBSETS, Calls, generator, jacobian, logits_of, network, run


def free(*sizes: int) -> Space:
    decisions = tuple(Decision(f"layer_{i}", tuple(map(str, range(n)))) for i, n in enumerate(sizes))
    return Space("free", decisions, (3, 8, 8), 4)


FREE = free(2, 5, 1, 4)
DRAWS = 3000


@cache
def draws(form: str) -> tuple[list[Tensor], list[Forward]]:
    """Probabilities, and many forwards at one set of parameters."""
    logits = logits_of(FREE, seed=3)
    source = generator(0)
    forwards = [FORMS[form](FREE, logits, gumbel(logits, source), 1.0) for _ in range(DRAWS)]
    return [values.softmax(0).detach() for values in logits], forwards


def within_four_errors(counts: Counter[Any], expected: dict[Any, float]) -> None:
    assert counts.keys() <= expected.keys()
    for key, p in expected.items():
        assert abs(counts[key] / DRAWS - p) <= 4 * np.sqrt(p * (1 - p) / DRAWS) + 1e-12, key


@pytest.mark.parametrize("form", SAMPLED)
def test_what_a_sampled_form_runs_is_drawn_from_the_softmax(form: str) -> None:
    probabilities, forwards = draws(form)
    for decision, p in zip(FREE.decisions, probabilities, strict=True):
        ran = Counter(forward[decision.label].active[0] for forward in forwards)
        within_four_errors(ran, dict(enumerate(p.tolist())))


@pytest.mark.parametrize("form", SAMPLED)
def test_decisions_are_drawn_independently(form: str) -> None:
    probabilities, forwards = draws(form)
    pairs = Counter((f["layer_0"].active[0], f["layer_3"].active[0]) for f in forwards)
    p, q = probabilities[0].tolist(), probabilities[3].tolist()
    within_four_errors(pairs, {(i, j): p[i] * q[j] for i, j in product(range(2), range(4))})


def test_the_second_draw_of_proxyless_is_from_the_rest() -> None:
    probabilities, forwards = draws("proxyless")
    p = probabilities[1].tolist()
    pairs = Counter(forward["layer_1"].active for forward in forwards)
    within_four_errors(pairs, {(c, d): p[c] * p[d] / (1 - p[c]) for c, d in product(range(5), range(5)) if c != d})


def test_a_path_is_drawn_from_the_softmax() -> None:
    logits, source = logits_of(FREE, seed=4), generator(0)
    paths = np.array([drawn_path(FREE, logits, gumbel(logits, source)) for _ in range(DRAWS)])
    for column, values in zip(paths.T, logits, strict=True):
        within_four_errors(Counter(column.tolist()), dict(enumerate(values.softmax(0).tolist())))


def test_noise_is_standard_gumbel() -> None:
    (noise,) = gumbel([torch.empty(100_000)], generator(0))
    quantiles = torch.tensor([0.01, 0.1, 0.5, 0.9, 0.99])
    torch.testing.assert_close(noise.quantile(quantiles), -(-quantiles.log()).log(), atol=0.05, rtol=0)


def test_a_decision_of_one_index_runs_it_alone() -> None:
    for form in SAMPLED:
        selection = draws(form)[1][0]["layer_2"]
        assert (selection.active, selection.weights.tolist()) == ((0,), [1.0])


@pytest.mark.parametrize("temperature", [0.3, 1.0, 5.0])
def test_gdas_runs_at_one_with_the_gradient_of_the_relaxed_draw(temperature: float) -> None:
    logits = logits_of(FREE)
    noise = gumbel(logits, generator(0))
    forward = SAMPLED["gdas"](FREE, logits, noise, temperature)
    for decision, values, added in zip(FREE.decisions, logits, noise, strict=True):
        (index,), weights = forward[decision.label].active, forward[decision.label].weights
        assert weights.tolist() == [1.0]
        relaxed = ((values + added) / temperature).softmax(0)
        assert index == relaxed.argmax()
        torch.testing.assert_close(jacobian(weights, values), jacobian(relaxed[[index]], values))


def test_proxyless_runs_at_one_and_zero_with_the_gradient_of_the_softmax_over_both() -> None:
    logits = logits_of(FREE)
    forward = run("proxyless", FREE, logits)
    for decision, values in zip(FREE.decisions, logits, strict=True):
        active, weights = forward[decision.label].active, forward[decision.label].weights
        if len(values) > 1:
            assert weights.tolist() == [1.0, 0.0]
            torch.testing.assert_close(jacobian(weights, values), jacobian(values[list(active)].softmax(0), values))


@pytest.mark.parametrize("form", SAMPLED)
def test_weights_are_exact_in_single_precision(form: str) -> None:
    for seed in range(50):
        logits = [values.detach().float() for values in logits_of(FREE, seed)]
        for selection in run(form, FREE, logits, seed).values():
            assert set(selection.weights.tolist()) <= {0.0, 1.0}
            assert selection.weights.dtype == torch.float32


@pytest.mark.parametrize("form", SAMPLED)
def test_the_output_of_a_sampled_form_is_that_of_its_path(form: str) -> None:
    logits = logits_of(CELL)
    for seed in range(8):
        path = drawn_path(CELL, logits, gumbel(logits, generator(seed)))
        found = network()(DATA.images, run(form, CELL, logits, seed))
        torch.testing.assert_close(found, network()(DATA.images, CELL.forward(path)))


def test_gdas_leaves_out_what_does_not_exist_on_its_path() -> None:
    logits = logits_of(CELL)
    seen = set()
    for seed in range(30):
        path = np.array(drawn_path(CELL, logits, gumbel(logits, generator(seed))))
        forward = run("gdas", CELL, logits, seed)
        absent = [label for label, selection in forward.items() if selection == Selection(())]
        assert absent == [label for label, exists in zip(LABELS, CELL.exists(path), strict=True) if not exists]
        seen.add(bool(absent))
    assert seen == {False, True}


DEEP = Space(
    "deep",
    (
        Decision("a", ("0", "1", "2")),
        Decision("b", ("0", "1", "2"), active_if=(("a", (1,)),)),
        Decision("c", ("0", "1"), active_if=(("b", (2,)),)),
    ),
    (3, 8, 8),
    4,
)


@pytest.mark.parametrize("form", SAMPLED)
def test_what_hangs_on_an_absent_decision_is_absent(form: str) -> None:
    logits, seen = logits_of(DEEP), set()
    for seed in range(60):
        forward = run(form, DEEP, logits, seed)
        assert (forward["b"] == Selection(())) == (1 not in forward["a"].active)
        assert (forward["c"] == Selection(())) == (2 not in forward["b"].active)
        seen.add((bool(forward["b"].active), bool(forward["c"].active)))
    assert seen == {(False, False), (True, False), (True, True)}


def test_proxyless_leaves_out_what_exists_for_neither_draw() -> None:
    logits, seen = logits_of(CELL), set()
    for seed in range(60):
        forward = run("proxyless", CELL, logits, seed)
        pair = forward["op"].active
        assert (forward["inner"] == Selection(())) == (2 not in pair)
        assert len(forward["inner"].active) in (0, 2)
        seen.add((2 in pair[:1], 2 in pair[1:]))
        network()(DATA.images[:2], forward)
    assert len(seen) == 3


def test_what_exists_for_the_second_draw_alone_is_drawn_from_its_softmax() -> None:
    logits, source = [torch.zeros(size) for size in CELL.sizes], generator(0)
    logits[LABELS.index("inner")] = torch.tensor([0.0, 0.0, 2.0])
    forwards = [SAMPLED["proxyless"](CELL, logits, gumbel(logits, source), 1.0) for _ in range(900)]
    ran = [forward["inner"].active[0] for forward in forwards if forward["op"].active[1] == 2]
    assert len(ran) > 200
    assert ran.count(2) / len(ran) == pytest.approx(0.787, abs=4 * (0.787 * 0.213 / len(ran)) ** 0.5)


def test_what_is_not_drawn_does_not_run() -> None:
    logits = logits_of(CELL)
    for seed in range(10):
        one, two = (run(form, CELL, logits, seed) for form in ("gdas", "proxyless"))
        assert Calls(one).of("op") == 1
        assert Calls(one).of("inner") == (1 if one["op"].active == (2,) else 0)
        assert Calls(two).of("op") == 2
        assert Calls(two).of("inner") == (2 if 2 in two["op"].active else 0)
        assert Calls(two).of("depth") == max(two["depth"].active) + 1


def test_gdas_runs_all_candidates_of_the_drawn_subset() -> None:
    logits = logits_of(SUBSETS)
    for seed in range(10):
        noise = gumbel(logits, generator(seed))
        (index,) = drawn_path(SUBSETS, logits, noise)
        selection = SAMPLED["gdas"](SUBSETS, logits, noise, 1.0)["pick"]
        assert selection.active == SUBSETS.decisions[0].chosen(index)
        assert set(selection.weights.tolist()) == {1.0}
        relaxed = (logits[0] + noise[0]).softmax(0)[[index] * len(selection.active)]
        torch.testing.assert_close(jacobian(selection.weights, logits[0]), jacobian(relaxed, logits[0]))


def test_proxyless_runs_the_candidates_of_both_subsets() -> None:
    logits = logits_of(SUBSETS)
    (decision,) = SUBSETS.decisions
    for seed in range(20):
        noise = gumbel(logits, generator(seed))
        first, second = (logits[0] + noise[0]).topk(2).indices.tolist()
        selection = SAMPLED["proxyless"](SUBSETS, logits, noise, 1.0)["pick"]
        both = decision.chosen(first), decision.chosen(second)
        assert selection.active == tuple(sorted({*both[0], *both[1]}))
        assert selection.weights.tolist() == [float(c in both[0]) for c in selection.active]
        gates = logits[0][[first, second]].softmax(0)
        sums = [sum(g for g, subset in zip(gates, both, strict=True) if c in subset) for c in selection.active]
        torch.testing.assert_close(jacobian(selection.weights, logits[0]), jacobian(torch.stack(sums), logits[0]))


@pytest.mark.parametrize("form", SAMPLED)
def test_unordered_decisions_run_in_their_one_order(form: str) -> None:
    labels = ("p0", "p1", "p2")
    decisions = tuple(Decision(label, ("k3", "k5", "none")) for label in labels)
    space = Space("places", decisions, (3, 8, 8), 4, unordered=(Unordered(labels, 2, at_least=1),))
    logits = [torch.tensor([0.0, 0.0, 0.5], dtype=DOUBLE, requires_grad=True) for _ in labels]
    seen = set()
    for seed in range(60):
        forward = run(form, space, logits, seed)
        first = tuple(forward[label].active[0] for label in labels)
        assert first == tuple(sorted(first))
        assert first != (2, 2, 2)
        seen.add(first)
    assert len(seen) > 4


def test_nothing_goes_back_into_the_second_draw_of_proxyless_and_the_gradients_are_the_same() -> None:
    logits, saved = logits_of(CELL), 0
    for seed in range(10):
        gradients, kept = zip(*(probed(logits, seed, keep) for keep in (True, False)), strict=True)
        assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))
        assert kept[0] <= kept[1]
        saved += kept[1] - kept[0]
    assert saved > 50


def probed(logits: Sequence[Tensor], seed: int, keep: bool) -> tuple[Sequence[Tensor], int]:
    """The gradients of a proxyless forward, and how many tensors its graph kept, with or without `probed`."""
    forward, saved = run("proxyless", CELL, logits, seed), []
    if not keep:
        forward = {label: replace(selection, probed=()) for label, selection in forward.items()}
    with saved_tensors_hooks(lambda x: (saved.append(x), x)[1], lambda x: x):
        output = network()(DATA.images, forward).square().sum()
    return torch.autograd.grad(output, logits, allow_unused=True, materialize_grads=True), len(saved)
