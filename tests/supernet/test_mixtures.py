from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck

from nascli.supernet.mixtures import MIXTURES, drawn_path, gumbel
from tests.training_strategy.helpers import CELL

from .forms import DATA, DOUBLE, FORMS, LABELS, SUBSETS, Calls, generator, logits_of, network, run


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


@pytest.mark.parametrize("form", MIXTURES)
def test_a_mixture_runs_every_candidate_once(form: str) -> None:
    calls = Calls(run(form, CELL, logits_of(CELL)))
    assert [calls.of(label) for label in ("op", "inner", "depth")] == [3, 3, 3]
    assert set(calls.count.values()) == {1}


def test_the_weight_of_a_candidate_is_the_sum_over_the_subsets_that_contain_it() -> None:
    logits = logits_of(SUBSETS)
    p = logits[0].softmax(0)  # a, b, c, ab, ac, bc, abc
    selection = run("softmax", SUBSETS, logits)["pick"]
    assert selection.active == (0, 1, 2)
    sums = [p[0] + p[3] + p[4] + p[6], p[1] + p[3] + p[5] + p[6], p[2] + p[4] + p[5] + p[6]]
    torch.testing.assert_close(selection.weights, torch.stack(sums))


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
