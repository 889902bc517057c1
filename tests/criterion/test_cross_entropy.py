from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nascli.component import resolve
from nascli.criterion.cross_entropy import CrossEntropy
from nascli.errors import ConfigError

OUTPUTS = torch.tensor([[2.0, 0.5, -1.0], [0.0, 0.0, 0.0], [-3.0, 4.0, 1.0]], dtype=torch.float64)
LABELS = torch.tensor([0, 2, 2])


def loss(outputs: Tensor, targets: Tensor, **options: Any) -> float:
    module = CrossEntropy(CrossEntropy.Config(**options)).build()
    return float(module(outputs, targets))


def test_it_is_the_mean_of_minus_the_log_probability_of_the_label() -> None:
    rows = [(row, int(label)) for row, label in zip(OUTPUTS.tolist(), LABELS, strict=True)]
    expected = sum(math.log(sum(map(math.exp, row))) - row[label] for row, label in rows) / 3
    assert loss(OUTPUTS, LABELS) == pytest.approx(expected, rel=1e-12)


def test_equal_outputs_cost_the_log_of_the_number_of_classes() -> None:
    assert loss(torch.zeros(1, 10), torch.tensor([3])) == pytest.approx(math.log(10))


@settings(deadline=None)
@given(st.floats(0, 0.9), st.integers(0, 2))
def test_smoothing_spreads_its_share_over_all_classes(share: float, label: int) -> None:
    target = torch.full((1, 3), share / 3, dtype=torch.float64)
    target[0, label] += 1 - share
    smoothed = loss(OUTPUTS[:1], torch.tensor([label]), label_smoothing=share)
    assert smoothed == pytest.approx(float(-(target * OUTPUTS[:1].log_softmax(1)).sum()), rel=1e-9)


def test_targets_may_be_probabilities() -> None:
    mixed = torch.tensor([[0.25, 0.75, 0.0]], dtype=torch.float64)
    parts = [loss(OUTPUTS[:1], torch.tensor([label])) for label in (0, 1)]
    assert loss(OUTPUTS[:1], mixed) == pytest.approx(0.25 * parts[0] + 0.75 * parts[1])


def test_it_has_no_weights_of_its_own() -> None:
    assert not CrossEntropy().build().state_dict()


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_outside_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(ConfigError, match="label_smoothing"):
        resolve("criterion", {"use": "cross_entropy", "label_smoothing": share})
