from __future__ import annotations

import math
import sys
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nascli.component import resolve
from nascli.cost.latency import Latency
from nascli.cost.timing import Timed, sampling
from nascli.errors import ConfigError, UsageError
from nascli.search_space.tiny import Tiny

torch.set_num_threads(1)

ROUNDS = 4


class Named(nn.Module):
    """Writes its name into a common list at each call, and remembers what it saw."""

    def __init__(self, name: int, calls: list[int]) -> None:
        super().__init__()
        self.name, self.calls = name, calls

    def __deepcopy__(self, memo: dict[int, Any]) -> Named:
        return self

    def forward(self, x: Tensor) -> Tensor:
        self.calls.append(self.name)
        self.seen = tuple(x.shape), self.training, torch.is_grad_enabled(), torch.get_num_threads()
        return x


def meter(**options: Any) -> Latency:
    return Latency(Latency.Config(**{"rounds": ROUNDS, "warmup": 1, "budget_s": 1e-9, "networks": 0, **options}))


def rounds_of(n_blocks: int, **options: Any) -> list[list[int]]:
    """The order of the calls in each round."""
    calls: list[int] = []
    blocks = [(Named(name, calls), (1, 2, 2)) for name in range(n_blocks)]
    meter(fold_bn=False, **options).measure_all(blocks)
    timed = calls[n_blocks:]
    size = len(timed) // ROUNDS
    return [timed[i : i + size] for i in range(0, len(timed), size)]


def test_a_latency_is_a_positive_number_of_milliseconds() -> None:
    value = meter().measure(nn.Conv2d(3, 4, 3), (3, 8, 8))
    assert isinstance(value, float)
    assert 0 < value < math.inf


def test_each_round_times_every_block_equally_often() -> None:
    for order in rounds_of(4):
        counts = [order.count(name) for name in range(4)]
        assert counts == [len(order) // 4] * 4


def test_a_block_is_done_with_before_the_next_one_of_a_round() -> None:
    for order in rounds_of(4, warm=True):
        changes = sum(a != b for a, b in pairwise(order))
        assert (len(order), changes) == (8, 3)


def test_rounds_go_through_the_blocks_in_different_orders() -> None:
    assert len({tuple(order) for order in rounds_of(4)}) > 1


def test_blocks_run_in_evaluation_mode_without_gradients_on_batches_of_the_shape() -> None:
    block = Named(0, [])
    meter(batch=3, threads=1, fold_bn=False).measure(block.train(), (2, 5, 4))
    assert block.seen == ((3, 2, 5, 4), False, False, 1)


def test_measuring_leaves_the_number_of_threads_as_it_was() -> None:
    meter(threads=2).measure(nn.Identity(), (1, 2, 2))
    assert torch.get_num_threads() == 1


def test_notes_name_the_conditions() -> None:
    used = meter(batch=2)
    used.measure_all([(nn.Conv2d(1, 2 * k, 3), (1, 9, 9)) for k in range(1, 5)])
    notes = dict(used.notes())
    assert -1 <= notes["reliability"] <= 1
    assert notes["machine"]
    assert notes["torch"] == torch.__version__
    assert set(notes["load"]) == {"others", "waiting"}
    expected = {"rounds": ROUNDS, "threads": 1, "batch": 2, "backend": "torch", "layout": "contiguous", "fold_bn": True}
    assert {name: notes[name] for name in expected} == expected
    assert (notes["compiled"], notes["precision"], notes["statistic"]) == (False, "fp32", "median")


def test_two_blocks_have_no_rank_correlation() -> None:
    used = meter()
    used.measure_all([(nn.Identity(), (1, 2, 2))] * 2)
    assert used.notes()["reliability"] is None


def test_a_space_gets_a_latency_of_each_candidate() -> None:
    metric = Tiny(Tiny.Config(width=4)).lookup_table([meter(rounds=3)])["latency_ms"]
    assert (metric.unit, metric.exact) == ("ms", False)
    assert [factor.values.shape for factor in metric.factors] == [(5,)] * 6
    assert all((factor.values > 0).all() for factor in metric.factors)
    assert metric.notes["rounds"] == 3


@pytest.mark.parametrize("options", [{"rounds": 2}, {"threads": 0}, {"batch": 0}, {"warmup": 0}, {"device": "a b"}])
def test_senseless_conditions_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        resolve("meter", {"use": "latency_ms", **options})


def test_conditions_that_onnxruntime_does_not_have_are_refused() -> None:
    with pytest.raises(ConfigError, match="onnxruntime has no layout, precision"):
        resolve(
            "meter", {"use": "latency_ms", "backend": "onnxruntime", "layout": "channels_last", "precision": "bf16"}
        )


def test_a_named_device_has_a_metric_of_its_own() -> None:
    metric = Tiny(Tiny.Config(width=4)).lookup_table([meter(device="pixel3")])["latency_ms@pixel3"]
    assert metric.unit == "ms"


def test_few_blocks_are_driven_out_of_the_caches_before_each_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    monkeypatch.setattr("nascli.cost.timing.flush", lambda: flushed.append(1))
    meter().measure(nn.Identity(), (1, 2, 2))
    assert len(flushed) == ROUNDS
    meter(warm=True).measure(nn.Identity(), (1, 2, 2))
    assert len(flushed) == ROUNDS


class Places:
    """Makes what times something: each is one copy, which remembers how often it ran."""

    def __init__(self) -> None:
        self.runs: list[int] = []

    def __call__(self) -> Timed:
        place = len(self.runs)
        self.runs.append(0)

        def timed(n: int) -> float:
            self.runs[place] += n
            return float(place)

        return timed


def test_a_block_is_made_anew_after_every_fifth_sample_and_warmed_outside_of_samples() -> None:
    places = Places()
    sample = sampling(places, 3, warm=False, renew=True)
    assert [sample() for _ in range(11)] == [0.0] * 5 + [1.0] * 5 + [2.0]
    assert places.runs == [8, 8, 4]


def test_a_whole_network_is_made_once() -> None:
    places = Places()
    sample = sampling(places, 3, warm=True)
    assert {sample() for _ in range(11)} == {0.0}
    assert places.runs == [3 + 2 * 11]


def test_each_copy_of_a_block_lies_elsewhere_than_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr("nascli.cost.runtimes._by_clock", lambda run, x, n: seen.append(run.weight.data_ptr()) or 1.0)
    meter(rounds=11, fold_bn=False).measure_all([(nn.Conv2d(3, 4, 3), (3, 8, 8))])
    assert len(list(groupby(seen))) == 3  # the third may lie where the first was


def test_onnxruntime_measures_without_what_an_empty_session_costs() -> None:
    used = meter(backend="onnxruntime", rounds=9)
    nothing, something = used.measure_all([(nn.Identity(), (1, 1, 1)), (nn.Conv2d(8, 64, 5), (8, 32, 32))])
    notes = used.notes()
    assert 0 <= nothing < something
    assert notes["overhead"] > 0
    assert notes["onnxruntime"]


def test_without_onnxruntime_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match="backend: onnxruntime needs the package onnxruntime") as caught:
        meter(backend="onnxruntime").measure(nn.Identity(), (1, 2, 2))
    assert "take backend: torch" in caught.value.hint


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_without_a_gpu_cuda_is_refused() -> None:
    with pytest.raises(UsageError, match="no CUDA device"):
        meter(accelerator="cuda").measure(nn.Identity(), (1, 2, 2))


def test_blocks_in_half_precision_and_channels_last_are_measured() -> None:
    assert meter(precision="bf16", layout="channels_last").measure(nn.Conv2d(3, 4, 3), (3, 8, 8)) > 0


@pytest.mark.parametrize(("statistic", "values"), [("median", [2.0, 5.0]), ("minimum", [1.0, 4.0])])
def test_a_block_costs_the_statistic_of_its_samples(statistic: str, values: list[float]) -> None:
    samples = np.array([[1.0, 5.0], [9.0, 4.0], [2.0, 8.0]])
    assert meter(statistic=statistic).value(samples).tolist() == values


def test_the_number_of_networks_is_no_condition_of_a_measurement() -> None:
    assert "networks" not in meter().notes()


@pytest.mark.parametrize("name", [32, "32", "fp32"])
def test_single_precision_is_kept_as_fp32_however_it_is_called(name: object) -> None:
    assert meter(precision=name).config.precision == "fp32"
    assert meter(precision=name, backend="onnxruntime").config.precision == "fp32"
