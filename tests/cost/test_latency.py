from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from nascli.component import resolve
from nascli.cost.latency import Latency
from nascli.errors import ConfigError
from nascli.search_space.tiny import Tiny

torch.set_num_threads(1)

ROUNDS = 5


class Named(nn.Module):
    """Writes its name into a common list at each call, and remembers what it saw."""

    def __init__(self, name: int, calls: list[int]) -> None:
        super().__init__()
        self.name, self.calls = name, calls

    def forward(self, x: Tensor) -> Tensor:
        self.calls.append(self.name)
        self.seen = tuple(x.shape), self.training, torch.is_grad_enabled(), torch.get_num_threads()
        return x


def meter(**options: int) -> Latency:
    return Latency(Latency.Config(**{"rounds": ROUNDS, "warmup": 1, **options}))


def rounds_of(n_blocks: int) -> list[list[int]]:
    """The order of the calls in each round."""
    calls: list[int] = []
    blocks = [(Named(name, calls), (1, 2, 2)) for name in range(n_blocks)]
    meter().measure_all(blocks)
    total = len(calls)
    calls.clear()
    meter(rounds=ROUNDS + 1).measure_all(blocks)
    size = len(calls) - total
    timed = calls[-size * (ROUNDS + 1) :]
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
    for order in rounds_of(4):
        changes = sum(a != b for a, b in pairwise(order))
        assert changes == 3


def test_rounds_go_through_the_blocks_in_different_orders() -> None:
    assert len({tuple(order) for order in rounds_of(4)}) > 1


def test_blocks_run_in_evaluation_mode_without_gradients_on_batches_of_the_shape() -> None:
    block = Named(0, [])
    meter(batch=3, threads=1).measure(block.train(), (2, 5, 4))
    assert block.seen == ((3, 2, 5, 4), False, False, 1)


def test_measuring_leaves_the_number_of_threads_as_it_was() -> None:
    meter(threads=2).measure(nn.Identity(), (1, 2, 2))
    assert torch.get_num_threads() == 1


def test_notes_name_the_conditions() -> None:
    used = meter(batch=2)
    used.measure_all([(nn.Conv2d(1, 2 * k, 3), (1, 9, 9)) for k in range(1, 5)])
    notes = dict(used.notes())
    assert -1 <= notes.pop("reliability") <= 1
    assert notes.pop("device")
    conditions = {"rounds": ROUNDS, "warmup": 1, "threads": 1, "batch": 2}
    assert notes == {**conditions, "backend": "torch", "layout": "contiguous", "statistic": "median"}


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


@pytest.mark.parametrize("options", [{"rounds": 2}, {"threads": 0}, {"batch": 0}, {"warmup": 0}])
def test_senseless_conditions_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        resolve("meter", {"use": "latency_ms", **options})
