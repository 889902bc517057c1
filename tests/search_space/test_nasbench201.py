from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nascli.component import resolve
from nascli.cost.macs import Macs
from nascli.cost.model import CostModel
from nascli.cost.params import Params
from nascli.errors import ConfigError
from nascli.search_space.nasbench201 import NasBench201

from .helpers import decoded_and_path, macs_of, params_of, trained

NONE, SKIP, CONV1, CONV3, POOL = range(5)
KERNEL = {CONV1: 1, CONV3: 3}
SPACE = NasBench201(NasBench201.Config(input_shape=(2, 9, 8), classes=3, channels=4, cells=1))
SUPERNET = trained(SPACE)
COSTS = SPACE.lookup_table([Macs(), Params()])
ARCHS = st.tuples(*[st.integers(0, 4)] * 6)


@pytest.fixture(scope="module")
def published() -> CostModel:
    """The costs of the benchmark's own network."""
    return NasBench201().lookup_table([Macs(), Params()])


def by_hand(arch: list[int]) -> tuple[int, int]:
    """(parameters, MACs) of a network for CIFAR-10, from the paper's description."""
    params, macs = 3 * 9 * 16 + 2 * 16, 3 * 9 * 16 * 32**2
    for width, size in ((16, 32), (32, 16), (64, 8)):
        if width > 16:
            half = width // 2
            weights = half * width * 9 + width * width * 9 + half * width
            params, macs = params + weights + 4 * width, macs + weights * size**2
        for kernel in (KERNEL[op] for op in arch if op in KERNEL):
            weights = width * width * kernel**2
            params, macs = params + 5 * (weights + 2 * width), macs + 5 * weights * size**2
    return params + 2 * 64 + 64 * 10 + 10, macs + 64 * 10


def test_it_has_the_15625_architectures_of_the_benchmark() -> None:
    assert SPACE.space.count == 15_625
    assert SPACE.space.sizes == (5,) * 6


def test_decisions_are_in_the_order_of_the_benchmark() -> None:
    assert [d.label for d in SPACE.space.decisions] == [
        f"edge_{node}_{source}" for node, source in ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))
    ]
    operations = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    assert {d.candidates for d in SPACE.space.decisions} == {operations}


KNOWN = ([NONE] * 6, [CONV3] * 6, [SKIP, CONV1, POOL, CONV3, NONE, CONV1], [CONV1] * 6)


@pytest.mark.parametrize("arch", KNOWN)
def test_known_cells_cost_what_the_formula_says(arch: list[int], published: CostModel) -> None:
    totals = published.total("params", np.array(arch))[0], published.total("macs", np.array(arch))[0]
    assert totals == by_hand(arch)


@pytest.mark.parametrize(
    ("shape", "classes", "params", "flops"),
    [
        ((3, 32, 32), 10, (73_306, 1_531_546), (7_783_050, 220_119_690)),
        ((3, 32, 32), 100, (79_156, 1_537_396), (7_788_900, 220_125_540)),
        ((3, 16, 16), 120, (80_456, 1_538_696), (1_953_400, 55_037_560)),
    ],
)
def test_the_smallest_and_the_largest_network_have_the_published_numbers(
    shape: tuple[int, int, int], classes: int, params: tuple[int, int], flops: tuple[int, int]
) -> None:
    """The benchmark's "FLOPs" are our MACs and one for each bias."""
    space = NasBench201(NasBench201.Config(input_shape=shape, classes=classes))
    costs, ends = space.lookup_table([Macs(), Params()]), np.array([[NONE] * 6, [CONV3] * 6])
    assert tuple(costs.total("params", ends)) == params
    assert tuple(costs.total("macs", ends) + classes) == flops


def test_the_supernet_has_the_weights_of_all_operations_on_all_edges() -> None:
    edge = 5 * sum(width * width * (1 + 9) + 4 * width for width in (16, 32, 64))
    assert params_of(NasBench201().supernet()) == by_hand([NONE] * 6)[0] + 6 * edge


@settings(max_examples=25)
@given(ARCHS)
def test_the_decoded_network_computes_what_the_path_of_the_supernet_computes(arch: tuple[int, ...]) -> None:
    assert torch.equal(*decoded_and_path(SPACE, SUPERNET, arch))


@settings(max_examples=25)
@given(ARCHS)
def test_table_totals_are_the_costs_of_the_whole_network(arch: tuple[int, ...]) -> None:
    model = SPACE.model(arch)
    assert COSTS.total("params", np.array(arch)) == [params_of(model)]
    assert COSTS.total("macs", np.array(arch)) == [macs_of(model, SPACE.config.input_shape)]


def test_a_cell_is_the_sum_of_its_edges() -> None:
    """Node 3 of a cell without weights: skip, pool and zero on the way."""
    model = SPACE.model([SKIP, SKIP, POOL, NONE, SKIP, SKIP]).double().eval()
    x = torch.rand(1, 4, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    pooled = torch.nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    assert torch.equal(model.stages[0](x), x + (x + pooled))  # type: ignore[index, operator]


@pytest.mark.parametrize("op", [CONV1, CONV3])
def test_a_convolution_sees_what_is_above_zero(op: int) -> None:
    """ReLU stands before it, not behind."""
    operation = SPACE.model([op] * 6).eval().stages[0].edges["edge_1_0"]  # type: ignore[index, union-attr]
    x = torch.randn(1, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(operation(x), operation(x.clamp(min=0)))
    assert operation(x).min() < 0


def test_a_cell_whose_last_node_has_no_input_gives_zeros() -> None:
    cell = SPACE.model([CONV3, CONV3, CONV3, NONE, NONE, NONE]).eval().stages[0]  # type: ignore[index]
    assert torch.equal(cell(torch.full((1, 4, 3, 3), torch.inf)), torch.zeros(1, 4, 3, 3))


@pytest.mark.parametrize(("option", "value"), [("channels", 0), ("cells", 0), ("cells", 1.5)])
def test_wrong_options_are_refused(option: str, value: float) -> None:
    with pytest.raises(ConfigError, match=option):
        resolve("search_space", {"use": "nasbench201", option: value})
