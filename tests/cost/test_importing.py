from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nascli.artifacts.manifest import Manifest
from nascli.component import resolve
from nascli.cost.blocks import Blocks
from nascli.cost.building import doubts
from nascli.cost.exporting import MEASUREMENTS, BlockExport, export, table
from nascli.cost.filling import filled, known_fill
from nascli.cost.formats import reader
from nascli.cost.importing import imported
from nascli.cost.macs import Macs
from nascli.cost.measurements import Measurements, Wanted, checked
from nascli.cost.measuring import block_costs
from nascli.cost.model import Metric
from nascli.cost.validation import held_out, spread, working
from nascli.errors import UsageError
from nascli.search_space.base import SearchSpace, record_of

TINY = resolve("search_space", {"use": "tiny", "width": 4})
SPACE: SearchSpace = TINY.build()
BLOCKS: Blocks = SPACE.cost_blocks()
N = len(BLOCKS.blocks)
MACS = np.asarray(block_costs(Macs(), BLOCKS), dtype=np.float64)
NO_ARCHS = np.empty((0, 6), dtype=np.int64)
COSTS = np.random.default_rng(0).random(N) + 0.5


def given_costs(costs: np.ndarray, archs: np.ndarray = NO_ARCHS, networks: Any = ()) -> Measurements:
    return Measurements("ms", costs, archs, np.asarray(networks, dtype=np.float64))


def holes(*where: int) -> Measurements:
    costs = COSTS.copy()
    costs[list(where)] = np.nan
    return given_costs(costs)


def same(one: Metric, other: Metric) -> bool:
    pairs = zip(one.factors, other.factors, strict=True)
    return one.base == other.base and all(np.array_equal(a.values, b.values) for a, b in pairs)


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    folder = tmp_path_factory.mktemp("export") / "blocks"
    return folder, export(folder, BLOCKS, SPACE.model, record_of(TINY, SPACE.space), BlockExport(onnx=False))


@settings(max_examples=25)
@given(st.lists(st.floats(0, 1e12), min_size=N, max_size=N))
def test_what_is_exported_filled_in_and_imported_is_exactly_that(
    listed: tuple[Path, Manifest], values: list[float]
) -> None:
    folder, manifest = listed
    by_id = dict(zip((block.id for block in BLOCKS.blocks), values, strict=True))
    path = folder / MEASUREMENTS
    path.write_text(table(manifest, by_id, "ms"))
    wanted = Wanted("latency_ms@toy")
    found = checked(reader("nascli")(path, BLOCKS, wanted), BLOCKS, wanted, path)
    assert found.costs.tolist() == values
    base, factors = BLOCKS.assembled(values)
    expected = Metric("latency_ms@toy", "ms", base, factors, exact=False)
    assert same(imported("latency_ms@toy", found, BLOCKS), expected)


def test_blocks_without_a_cost_are_named() -> None:
    with pytest.raises(UsageError) as caught:
        imported("latency_ms", holes(*range(8)), BLOCKS)
    ids = ", ".join(block.id for block in BLOCKS.blocks[:5])
    assert caught.value.what == f"8 of {N} blocks have no latency_ms: {ids}, and 3 more"
    assert "--fill macs|nearest" in caught.value.hint
    assert caught.value.exit_code == 2


def test_holes_are_filled_by_a_line_over_macs_and_said() -> None:
    costs = 2e-6 * MACS + 0.25
    costs[[4, 9]] = np.nan
    metric = imported("latency_ms", given_costs(costs), BLOCKS, "macs")
    base, factors = BLOCKS.assembled(2e-6 * MACS + 0.25)
    assert metric.base == pytest.approx(base)
    assert all(np.allclose(a.values, b.values) for a, b in zip(metric.factors, factors, strict=True))
    (said,) = doubts("latency_ms", metric.notes)
    ids = f"{BLOCKS.blocks[4].id}, {BLOCKS.blocks[9].id}"
    assert said == f"latency_ms: 2 blocks were not measured but filled by a line over MACs: {ids}"
    assert metric.notes["filled"]["cells"] == [
        "layer_00=mobile_k3_e2",
        "layer_01=mobile_k3_e2",
        "layer_02=mobile_k3_e2",
    ]
    assert metric.evidence is not None
    assert np.flatnonzero(np.isnan(metric.evidence.samples[0])).tolist() == [4, 9]


def test_a_line_needs_two_points() -> None:
    costs = np.full(N, np.nan)
    costs[4] = 1.0
    with pytest.raises(UsageError, match="two measured blocks of different MACs"):
        filled(costs, BLOCKS, MACS, "macs")


def test_an_estimate_is_never_below_zero() -> None:
    middle = np.median(MACS)
    costs = np.where(middle < MACS, MACS - 0.9 * middle, np.nan)
    assert (filled(costs, BLOCKS, MACS, "macs")[0] >= 0).all()


def test_holes_are_filled_like_the_nearest_block_of_the_same_name() -> None:
    costs = COSTS.copy()
    named = [i for i, block in enumerate(BLOCKS.blocks) if block.name == "mobile_k3_e2"]
    costs[named[0]] = np.nan
    found, facts = filled(costs, BLOCKS, MACS, "nearest")
    nearest = min(named[1:], key=lambda i: abs(math.log1p(MACS[i]) - math.log1p(MACS[named[0]])))
    assert found[named[0]] == COSTS[nearest]
    assert np.array_equal(np.delete(found, named[0]), np.delete(COSTS, named[0]))
    assert facts["blocks"] == [BLOCKS.blocks[named[0]].id]
    stem = 0
    assert filled(np.where(np.arange(N) == stem, np.nan, COSTS), BLOCKS, MACS, "nearest")[0][stem] in COSTS


def test_nothing_at_all_cannot_be_filled() -> None:
    with pytest.raises(UsageError, match="no block was measured"):
        filled(np.full(N, np.nan), BLOCKS, MACS, "nearest")
    assert known_fill(None) is None
    with pytest.raises(UsageError, match="did you mean 'nearest'"):
        known_fill("neares")


def networks(n: int, law: Mapping[str, float], seed: int = 1) -> Measurements:
    """Networks that follow a law, in no order."""
    archs = spread(SPACE.lookup_table([Macs()])["macs"], BLOCKS, n, np.random.default_rng(seed))
    archs = np.random.default_rng(seed).permutation(archs)
    counts = BLOCKS.counts(archs)
    return given_costs(
        COSTS, archs, law["scale"] * counts @ COSTS + law["each"] * counts @ working(COSTS) + law["fixed"]
    )


LAW = {"scale": 0.8, "each": 0.2, "fixed": 1.5}


def test_what_rounding_leaves_of_the_fixed_part_is_nothing() -> None:
    fixed = COSTS[BLOCKS.base].sum()
    base, _ = BLOCKS.assembled(COSTS, fixed=-fixed + 2.8e-17)
    assert base == 0
    assert BLOCKS.assembled(COSTS, fixed=-2 * fixed)[0] == 0
    assert BLOCKS.assembled(COSTS, fixed=-fixed / 2)[0] == pytest.approx(fixed / 2)
    assert BLOCKS.assembled(0 * COSTS, fixed=1e-20)[0] == 1e-20


def test_whole_networks_correct_the_table_and_tell_its_error() -> None:
    found = networks(60, LAW)
    metric = imported("latency_ms@toy", found, BLOCKS)
    assert np.allclose(metric.total(found.archs), found.networks)
    assert metric.notes["correction"]["networks"] == 20
    assert metric.notes["held_out"]["networks"] == 40
    assert metric.error is not None
    assert metric.error < 1e-6
    assert (metric.notes["floor"], metric.notes["ceiling"]) == (None, None)
    assert not list(doubts(metric.name, metric.notes))


def test_the_error_is_that_of_networks_which_the_fit_has_not_seen() -> None:
    found = networks(60, LAW)
    noisy = replace(found, networks=found.networks * (1 + 0.1 * np.random.default_rng(3).standard_normal(60)))
    error = imported("latency_ms@toy", noisy, BLOCKS).error
    assert error is not None
    assert 0.1 < error < 0.4


def test_networks_are_kept_in_the_order_that_says_which_were_held_out() -> None:
    found = networks(60, LAW)
    noisy = replace(found, networks=found.networks * (1 + 0.1 * np.random.default_rng(3).standard_normal(60)))
    metric = imported("latency_ms", noisy, BLOCKS)
    assert metric.evidence is not None
    judges = held_out(60)
    predicted, measured = metric.total(metric.evidence.archs), metric.evidence.networks[0]
    errors = np.abs(predicted - measured)[judges] / measured[judges]
    assert metric.notes["held_out"]["networks"] == judges.sum()
    assert metric.notes["held_out_table"]["max"] == pytest.approx(errors.max(), abs=1e-9)
    macs = BLOCKS.counts(metric.evidence.archs) @ MACS
    assert (np.diff(macs) >= 0).all()


def test_too_few_networks_correct_nothing_and_it_is_said() -> None:
    found = networks(8, LAW)
    metric = imported("latency_ms@toy", found, BLOCKS)
    assert (metric.error, metric.unit) == (None, "ms")
    assert metric.base == BLOCKS.assembled(COSTS)[0]
    (said,) = doubts(metric.name, metric.notes)
    assert "8 whole networks are too few" in said


def test_peak_memory_is_the_largest_of_the_blocks_as_its_meter_says() -> None:
    found = replace(networks(12, LAW), unit="MB")
    metric = imported("peak_memory_mb@toy", found, BLOCKS)
    assert (metric.joins, metric.unit) == ("max", "MB")
    totals = metric.total(found.archs)
    counts = BLOCKS.counts(found.archs)
    assert totals.tolist() == [COSTS[row > 0].max() for row in counts]
    worst = np.quantile(np.abs(found.networks - totals) / totals, 0.95)
    assert metric.error == pytest.approx(worst)
