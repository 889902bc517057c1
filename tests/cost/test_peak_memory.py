from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nascli.artifacts.lookup_table import LookupTable
from nascli.component import resolve
from nascli.cost.constraint import Constraint
from nascli.cost.feasible import FeasibleSet
from nascli.cost.liveness import peak_bytes
from nascli.cost.model import CostModel, Factor, Metric
from nascli.cost.peak_memory import PeakMemory
from nascli.cost.table import from_table, to_table
from nascli.search_space.base import SearchSpace
from nascli.search_space.tiny import Tiny

from .helpers import everything, space

torch.set_num_threads(1)

VALUES = ([1.0, 4.0, 9.0], [2.0, 3.0], [0.0, 8.0, 5.0])


def maximum(base: float = 2.5) -> CostModel:
    factors = tuple(Factor((i,), np.array(row)) for i, row in enumerate(VALUES))
    metric = Metric("peak_memory_mb", "MB", base, factors, True, joins="max")
    return CostModel(space([3, 2, 3]), {"peak_memory_mb": metric})


def test_one_layer_needs_its_input_and_its_output() -> None:
    assert peak_bytes(nn.Conv2d(3, 8, 1, bias=False), (3, 10, 10)) == 4 * 100 * (3 + 8)
    assert peak_bytes(nn.Conv2d(3, 8, 1, bias=False), (3, 10, 10), batch=5) == 5 * 4 * 100 * (3 + 8)


def test_what_is_used_no_more_is_free() -> None:
    layers = [nn.Conv2d(4, 8, 1), nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)]
    assert peak_bytes(nn.Sequential(*layers), (4, 5, 5)) == 4 * 25 * (8 + 4)


class Residual(nn.Module):
    """Keeps its input until the end."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(4, 8, 1), nn.Conv2d(8, 4, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


def test_a_skip_connection_keeps_its_input() -> None:
    assert peak_bytes(Residual(), (4, 5, 5)) == 4 * 25 * (4 + 8 + 4)


class Valued(nn.Module):
    """Looks at numbers, which the meta device does not have."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if float(x.sum()) >= 0 else x


def test_modules_that_need_values_run_as_they_are() -> None:
    assert peak_bytes(Valued(), (4, 5, 5)) >= 2 * 4 * 100


@pytest.mark.parametrize("name", ["tiny", "fbnet_s", "spos"])
def test_networks_of_a_chain_need_what_their_largest_block_needs(name: str) -> None:
    found: SearchSpace = resolve("search_space", name).build()
    metric = found.lookup_table([PeakMemory()])["peak_memory_mb"]
    assert metric.exact
    rng = np.random.default_rng(0)
    archs = np.stack([rng.integers(0, size, 3) for size in found.space.sizes], axis=1)
    whole = [PeakMemory().measure(found.model(arch).eval(), found.space.input_shape) for arch in archs.tolist()]
    assert metric.total(archs).tolist() == pytest.approx(whole)


def test_networks_that_are_no_chain_tell_the_error() -> None:
    metric = resolve("search_space", "nasbench201").build().lookup_table([PeakMemory()])["peak_memory_mb"]
    assert not metric.exact
    assert metric.error is not None
    assert metric.error > 0
    assert "not seen" in metric.notes["inexact"]


def test_a_total_is_the_largest_part() -> None:
    totals = maximum().total("peak_memory_mb", np.array([[0, 0, 0], [1, 1, 0], [0, 0, 1]]))
    assert totals.tolist() == [2.5, 4.0, 8.0]


def test_the_expectation_of_a_maximum_is_exact_and_carries_gradients() -> None:
    rng, model = np.random.default_rng(0), maximum()
    rows = [rng.dirichlet(np.ones(len(row))) for row in VALUES]
    weights = [torch.tensor(row, requires_grad=True) for row in rows]
    expected = model["peak_memory_mb"].expected(weights)
    brute = 0.0
    for arch in product(*(range(len(row)) for row in VALUES)):
        chance = np.prod([rows[i][j] for i, j in enumerate(arch)])
        brute += chance * model.total("peak_memory_mb", np.array([arch]))[0]
    assert expected.item() == pytest.approx(brute)
    expected.backward()
    assert weights[0].grad is not None
    one_hot = [torch.tensor([1.0 * (i == 1) for i in range(len(row))]) for row in VALUES]
    assert model["peak_memory_mb"].expected(one_hot).item() == 8.0


@pytest.mark.parametrize(
    "texts", [("peak_memory_mb<=4",), ("peak_memory_mb>=5",), ("peak_memory_mb>=3", "peak_memory_mb<=5"), ()]
)
def test_feasible_sets_know_maxima(texts: tuple[str, ...]) -> None:
    model = maximum()
    found = FeasibleSet(model, [Constraint.parse(text) for text in texts])
    every = everything(model.space)
    inside = every[found.contains(every)]
    low, high = (3 if "peak_memory_mb>=3" in texts else 5 if "peak_memory_mb>=5" in texts else 0), 99
    high = 4 if "peak_memory_mb<=4" in texts else 5 if "peak_memory_mb<=5" in texts else high
    totals = model.total("peak_memory_mb", every)
    assert len(inside) == ((totals >= low) & (totals <= high)).sum() == found.count.lower == found.count.upper
    drawn = found.sample(200, np.random.default_rng(0))
    assert found.contains(drawn).all()
    assert len(np.unique(drawn, axis=0)) == len(inside)


def test_bounds_of_a_maximum() -> None:
    assert FeasibleSet(maximum()).bounds("peak_memory_mb") == (2.5, 9.0)


def test_a_maximum_comes_back_from_a_file(tmp_path: Path) -> None:
    model = Tiny(Tiny.Config(width=4)).lookup_table([PeakMemory(PeakMemory.Config(batch=2))])
    LookupTable(to_table(model)).write(tmp_path / "lut.h5")
    again = from_table(LookupTable.open(tmp_path / "lut.h5").payload, model.space)["peak_memory_mb"]
    arch = np.array([[1, 2, 3, 4, 0, 1]])
    assert again.joins == "max"
    assert again.total(arch).tolist() == model.total("peak_memory_mb", arch).tolist()
    assert again.notes["batch"] == 2
    assert "weights are not counted" in again.notes["counts"]
