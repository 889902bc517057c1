from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck

from nascli.space import Decision, Forward, Selection, Space, Unordered
from nascli.supernet.base import Supernet
from nascli.training_strategy.mixtures import MIXTURES, SAMPLED, drawn_path, gumbel

from .helpers import CELL, cell, images

DOUBLE = torch.float64
LABELS = [d.label for d in CELL.decisions]
FORMS = {**MIXTURES, **SAMPLED}


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def logits_of(space: Space, seed: int = 0) -> list[Tensor]:
    drawn = torch.randn(sum(space.sizes), generator=generator(seed), dtype=DOUBLE)
    return [part.clone().requires_grad_() for part in drawn.split(space.sizes)]


def run(form: str, space: Space, logits: Sequence[Tensor], seed: int = 0, temperature: float = 1.0) -> Forward:
    return FORMS[form](space, logits, gumbel(logits, generator(seed)), temperature)


@cache
def network() -> Supernet:
    return cell(DOUBLE)


DATA = images(DOUBLE)


def by_hand(weights: dict[str, Tensor]) -> Tensor:
    """The cell with all candidates weighted, (n, 4) like its outputs; `weights` are over indices."""
    net: Any = network().network
    first = net.first(DATA.images)
    begin, inner = net.op.branch[0](first), net.op.branch[1]
    branch = sum(w * inner[i](begin) for i, w in enumerate(weights["inner"]))
    outputs = (first, net.op.conv(first), branch)
    second = sum(w * output for w, output in zip(weights["op"], outputs, strict=True))
    third, x = torch.zeros_like(second), second
    for w, block in zip(weights["depth"], net.depth.blocks, strict=True):
        x = block(x)
        third = third + w * x
    a, b, c = weights["join"]  # 0+1, 0+2, 1+2
    joined = (a + b) * first + (a + c) * second + (b + c) * third
    output: Tensor = net.last(joined.mean((2, 3)))
    return output


def expected_weights(form: str, logits: list[Tensor], temperature: float) -> dict[str, Tensor]:
    noise = gumbel(logits, generator(0))
    values = {
        "softmax": [x.exp() / x.exp().sum() for x in logits],
        "gumbel_softmax": [((x + n) / temperature).exp() for x, n in zip(logits, noise, strict=True)],
        "sum": logits,
    }[form]
    scaled = [v / v.sum() for v in values] if form == "gumbel_softmax" else values
    return dict(zip(LABELS, scaled, strict=True))


@pytest.mark.parametrize("temperature", [0.5, 3.0])
@pytest.mark.parametrize("form", MIXTURES)
def test_a_mixture_is_the_sum_that_one_writes_by_hand(form: str, temperature: float) -> None:
    logits = logits_of(CELL)
    found = network()(DATA.images, run(form, CELL, logits, temperature=temperature))
    expected = by_hand(expected_weights(form, logits, temperature))
    torch.testing.assert_close(found, expected)
    some = torch.randn(found.shape, generator=generator(9), dtype=DOUBLE)
    gradients = [torch.autograd.grad((output * some).sum(), logits) for output in (found, expected)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("form", MIXTURES)
def test_the_gradient_of_a_mixture_is_that_of_small_differences(form: str) -> None:
    def output(*logits: Tensor) -> Tensor:
        return network()(DATA.images[:2], run(form, CELL, logits))

    assert gradcheck(output, tuple(logits_of(CELL)))


@pytest.mark.parametrize("form", ["softmax", "gumbel_softmax"])
@given(seed=st.integers(0, 1000), temperature=st.floats(0.05, 20))
def test_weights_over_indices_sum_to_one(form: str, seed: int, temperature: float) -> None:
    forward = run(form, CELL, logits_of(CELL, seed), seed, temperature)
    totals = [forward[label].weights.sum().item() for label in ("op", "inner", "depth")]
    assert totals == pytest.approx([1, 1, 1])
    assert forward["join"].weights.sum().item() == pytest.approx(2)  # of two candidates at once


def test_at_a_low_temperature_gumbel_softmax_is_the_drawn_path() -> None:
    logits = logits_of(CELL)
    for seed in range(5):
        path = CELL.forward(drawn_path(CELL, logits, gumbel(logits, generator(seed))))
        mixed = run("gumbel_softmax", CELL, logits, seed, 1e-4)
        for label in ("op", "depth", "join"):
            one_hot = torch.zeros_like(mixed[label].weights)
            one_hot[list(path[label].active)] = 1
            torch.testing.assert_close(mixed[label].weights, one_hot)
        torch.testing.assert_close(network()(DATA.images, mixed), network()(DATA.images, path))


def test_at_a_high_temperature_gumbel_softmax_is_an_average() -> None:
    for selection in run("gumbel_softmax", CELL, logits_of(CELL), temperature=1e9).values():
        assert selection.weights.std() < 1e-6


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


def jacobian(weights: Tensor, logits: Tensor) -> Tensor:
    return torch.stack([torch.autograd.grad(w, logits, retain_graph=True)[0] for w in weights])


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


class Calls:
    """How often each candidate of the cell runs in one forward."""

    def __init__(self, forward: Forward) -> None:
        self.count: Counter[str] = Counter()
        net: Any = network().network
        candidates = {f"{name}.{key}": net.get_submodule(name)[key] for name in ("op",) for key in net.op.names}
        candidates |= {f"inner.{key}": net.op.branch[1][key] for key in net.op.branch[1].names}
        candidates |= {f"depth.{i}": block for i, block in enumerate(net.depth.blocks)}
        handles = [module.register_forward_hook(self.hook(name)) for name, module in candidates.items()]
        network()(DATA.images[:2], forward)
        for handle in handles:
            handle.remove()

    def hook(self, name: str) -> Any:
        def count(*_: Any) -> None:
            self.count[name] += 1

        return count

    def of(self, label: str) -> int:
        return sum(n for name, n in self.count.items() if name.startswith(f"{label}."))


def test_what_is_not_drawn_does_not_run() -> None:
    logits = logits_of(CELL)
    for seed in range(10):
        one, two = (run(form, CELL, logits, seed) for form in ("gdas", "proxyless"))
        assert Calls(one).of("op") == 1
        assert Calls(one).of("inner") == (1 if one["op"].active == (2,) else 0)
        assert Calls(two).of("op") == 2
        assert Calls(two).of("inner") == (2 if 2 in two["op"].active else 0)
        assert Calls(two).of("depth") == max(two["depth"].active) + 1


@pytest.mark.parametrize("form", MIXTURES)
def test_a_mixture_runs_every_candidate_once(form: str) -> None:
    calls = Calls(run(form, CELL, logits_of(CELL)))
    assert [calls.of(label) for label in ("op", "inner", "depth")] == [3, 3, 3]
    assert set(calls.count.values()) == {1}


SUBSETS = Space("subsets", (Decision("pick", ("a", "b", "c"), n_chosen=None),), (3, 8, 8), 4)


def test_the_weight_of_a_candidate_is_the_sum_over_the_subsets_that_contain_it() -> None:
    logits = logits_of(SUBSETS)
    p = logits[0].softmax(0)  # a, b, c, ab, ac, bc, abc
    selection = run("softmax", SUBSETS, logits)["pick"]
    assert selection.active == (0, 1, 2)
    sums = [p[0] + p[3] + p[4] + p[6], p[1] + p[3] + p[5] + p[6], p[2] + p[4] + p[5] + p[6]]
    torch.testing.assert_close(selection.weights, torch.stack(sums))


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


def test_a_form_does_not_touch_torchs_own_generator() -> None:
    with torch.random.fork_rng():
        before = torch.get_rng_state()
        for form in FORMS:
            run(form, CELL, logits_of(CELL))
        assert torch.equal(torch.get_rng_state(), before)


def test_parameters_get_a_gradient_where_something_runs_for_them() -> None:
    net, logits = network(), logits_of(CELL)
    for form in MIXTURES:
        net(DATA.images, run(form, CELL, logits)).square().sum().backward()
        assert all(values.grad.abs().min() > 0 for values in logits)
        for values in logits:
            values.grad = None
