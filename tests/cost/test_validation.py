from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nascli.cost.macs import Macs
from nascli.cost.measuring import measured
from nascli.cost.rounds import Sampler
from nascli.cost.sampled_meter import SampledMeter
from nascli.cost.validation import HOPELESS, Networks, corrected, error95, fitted, judged, spread, working
from nascli.search_space.tiny import Tiny

torch.set_num_threads(1)

SPACE = Tiny(Tiny.Config(width=4))
BLOCKS = SPACE.cost_blocks()
MACS = SPACE.lookup_table([Macs()])["macs"]
RNG = np.random.default_rng(0)
COSTS = RNG.random(len(BLOCKS.blocks)) + 0.5


def networks(scale: float, each: float, fixed: float, noise: float = 0.0) -> Networks:
    """Networks whose measurements follow a law, with relative noise in each of ten rounds."""
    archs = spread(MACS, BLOCKS, 60, np.random.default_rng(1))
    counts = BLOCKS.counts(archs)
    true = scale * counts @ COSTS + each * counts @ working(COSTS) + fixed
    samples = true * (1 + noise * RNG.standard_normal((10, len(archs))))
    return Networks(archs, samples, MACS.total(archs).astype(float))


def median(samples: np.ndarray) -> np.ndarray:
    return np.median(samples, axis=0)


def of(found: Networks) -> tuple[np.ndarray, float, dict[str, Any]]:
    return corrected(COSTS, BLOCKS, found, median, np.random.default_rng(2))


def test_architectures_spread_over_the_whole_range() -> None:
    archs = spread(MACS, BLOCKS, 60, np.random.default_rng(0))
    totals = MACS.total(archs)
    lowest, highest = (MACS.base + sum(pick(f.values) for f in MACS.factors) for pick in (np.min, np.max))
    assert len(np.unique(archs, axis=0)) == 60
    assert (np.diff(totals) >= 0).all()
    assert totals[0] - lowest < 0.1 * (highest - lowest) > highest - totals[-1]
    assert np.diff(totals).max() < 0.1 * (highest - lowest)


@pytest.mark.parametrize("law", [(1.0, 0.0, 0.0), (0.8, 0.2, 1.5), (1.3, 0.0, -0.5)])
def test_a_law_is_found_and_kept_by_the_totals(law: tuple[float, float, float]) -> None:
    found = networks(*law)
    costs, fixed, facts = of(found)
    totals = BLOCKS.counts(found.archs) @ costs + fixed
    assert np.allclose(totals, median(found.samples), rtol=1e-6)
    assert facts["held_out_table"]["mape"] < 1e-6
    assert facts["held_out_table"]["spearman"] == pytest.approx(1)
    assert facts["held_out"]["networks"] >= 40
    assert facts["floor"] == pytest.approx(0)


def test_noise_shows_in_floor_and_ceiling() -> None:
    _, _, facts = of(networks(1.0, 0.0, 0.0, noise=0.3))
    assert facts["floor"] > 0.02
    assert facts["ceiling"] < 1
    low, high = facts["held_out_table"]["spearman_interval"]
    assert low <= facts["held_out_table"]["spearman"] <= high


def test_trivial_predictors_are_worse() -> None:
    _, _, facts = of(networks(1.0, 0.0, 0.0))
    assert facts["held_out_constant"]["mape"] > 0.1
    assert facts["held_out_constant"]["spearman"] is None
    assert facts["held_out_macs"]["mape"] > facts["held_out_table"]["mape"]


def test_no_cost_becomes_negative() -> None:
    archs = networks(1.0, 0.0, 0.0).archs
    counts = BLOCKS.counts(archs)
    falling = 10.0 - 0.1 * counts @ COSTS
    correction = fitted(COSTS, BLOCKS, counts, falling)
    assert (correction.apply(COSTS) >= 0).all()
    assert correction.apply(COSTS)[BLOCKS.base].sum() + correction.fixed >= 0


def test_the_margin_is_a_share_of_the_prediction() -> None:
    found = judged(np.array([1.0, 2.0, 4.0]), np.array([2.0, 4.0, 8.0]), np.random.default_rng(0))
    assert (found["mape"], found["max"], found["error95"]) == (0.5, 0.5, 1.0)


class Law(SampledMeter):
    """Whole networks cost twice their parameters and 3 more; blocks their parameters."""

    metric, unit = "made_up", "1"

    def sampler(self, module: torch.nn.Module, shape: tuple[int, ...]) -> Sampler:
        params = sum(parameter.numel() for parameter in module.parameters())
        is_network = shape == SPACE.space.input_shape and len(module._modules) == 3 and "layers" in module._modules
        cost = 2.0 * params + 3 if is_network else float(params)
        return lambda: cost


def test_predictions_of_nothing_or_less_are_hopeless_not_a_crash() -> None:
    found = judged(np.array([0.0, -1.0, 2.0]), np.array([1.0, 1.0, 2.0]), np.random.default_rng(0))
    assert 1e8 < found["error95"] <= HOPELESS
    assert found["mape"] == 1.0
    facts = corrected(0.0 * COSTS, BLOCKS, networks(1.0, 0.0, 0.0), median, np.random.default_rng(0))[2]
    assert facts["held_out_uncorrected"]["error95"] == HOPELESS
    assert error95(np.zeros(2), np.zeros(2)) == 0


def test_a_table_is_corrected_by_networks_of_its_own_rounds() -> None:
    metric = measured(Law(), BLOCKS, SPACE.model)
    archs = np.array([[0] * 6, [1] * 6, [4, 3, 2, 1, 0, 1]])
    expected = [2 * sum(p.numel() for p in SPACE.model(arch).parameters()) + 3 for arch in archs.tolist()]
    assert metric.total(archs) == pytest.approx(expected)
    assert metric.error == pytest.approx(0, abs=1e-9)
    assert metric.evidence is not None
    assert metric.evidence.samples.shape[1] == len(BLOCKS.blocks)
    assert metric.evidence.networks.shape[1] == len(metric.evidence.archs) == 60


def test_without_networks_nothing_is_corrected_nor_judged() -> None:
    metric = measured(Law(Law.Config(networks=0)), BLOCKS, SPACE.model)
    assert metric.error is None
    assert metric.total(np.array([[1] * 6])).tolist() == [sum(p.numel() for p in SPACE.model([1] * 6).parameters())]
