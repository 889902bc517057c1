from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nascli.component import resolve
from nascli.cost.macs import Macs
from nascli.cost.model import CostModel
from nascli.cost.params import Params
from nascli.errors import ConfigError
from nascli.search_space.darts import Darts
from nascli.search_space.darts_modules import FactorizedReduce, Network, operations
from nascli.space import Archs
from nascli.supernet.base import Supernet
from nascli.supernet.choices import choices_of
from nascli.supernet.decoded import Absent, decode
from nascli.supernet.mutables import Mutable
from tests.cost.helpers import feasible

from .helpers import decoded_and_path, macs_of, params_of, trained

SPACE = Darts(Darts.Config(input_shape=(2, 9, 8), classes=3, channels=4, cells=3))


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    return trained(SPACE)


@pytest.fixture(scope="module")
def costs() -> CostModel:
    return SPACE.lookup_table([Macs(), Params()])


def archs(n: int) -> Archs:
    """Uniform architectures, the first and the last."""
    drawn = np.random.default_rng(0).integers(0, SPACE.space.sizes, (n, len(SPACE.space.sizes)))
    ends = [np.zeros(len(SPACE.space.sizes), dtype=np.int64), np.array(SPACE.space.sizes) - 1]
    return SPACE.space.canonical(np.concatenate([drawn, ends]))


def test_it_has_as_many_architectures_as_the_paper_describes() -> None:
    """Two of n inputs for each of four nodes, one of seven operations for each, two cells."""
    cell = (1 * 3 * 6 * 10) * 7 ** (2 * 4)
    assert SPACE.space.count == cell**2 == 1_076_746_950_455_072_400


def test_edges_and_nodes_of_both_cells_are_decisions() -> None:
    sizes = {d.label: d.size for d in SPACE.space.decisions}
    nodes = {f"{kind}_{node}": node * (node - 1) // 2 for kind in ("normal", "reduce") for node in range(2, 6)}
    edges = {f"{name}_{source}": 7 for name in nodes for source in range(int(name[-1]))}
    assert sizes == nodes | edges


def test_an_edge_exists_where_its_node_takes_it() -> None:
    edge = next(d for d in SPACE.space.decisions if d.label == "normal_3_1")
    assert edge.active_if == (("normal_3", (0, 2)),)  # of the pairs 01, 02, 12


def test_decoded_networks_compute_what_the_paths_of_the_supernet_compute(supernet: Supernet) -> None:
    for arch in archs(6).tolist():
        assert torch.equal(*decoded_and_path(SPACE, supernet, arch))


def test_table_totals_are_the_costs_of_the_decoded_networks(costs: CostModel) -> None:
    assert costs["macs"].exact
    assert costs["params"].exact
    for arch in archs(6):
        model = SPACE.model(arch.tolist())
        assert costs.total("params", arch) == [params_of(model)]
        assert costs.total("macs", arch) == [macs_of(model, SPACE.config.input_shape)]


def test_a_decoded_cell_has_two_edges_a_node() -> None:
    model = SPACE.model(archs(0)[1].tolist())
    assert not any(isinstance(module, Mutable) for module in model.modules())
    for cell in model.cells:  # type: ignore[union-attr]
        there = [name for name, edge in cell.edges.items() if not isinstance(edge, Absent)]
        assert len(there) == 8


def test_cells_at_one_and_two_thirds_halve_the_map_and_double_the_channels() -> None:
    network = Darts(Darts.Config(channels=4, cells=7, input_shape=(3, 16, 16))).network()
    assert [cell.kind for cell in network.cells] == ["normal"] * 2 + ["reduce"] + ["normal"] + ["reduce"] + [
        "normal"
    ] * 2  # type: ignore[union-attr]
    assert [cell.inputs[1][1].out_channels for cell in network.cells] == [4, 4, 8, 8, 16, 16, 16]  # type: ignore[union-attr]


def test_constrained_architectures_are_within_the_bound(costs: CostModel) -> None:
    everything = feasible(costs)
    bound = int(np.median(costs.total("macs", everything.sample(64, np.random.default_rng(0)))))
    drawn = feasible(costs, f"macs<={bound}").sample(64, np.random.default_rng(1))
    assert (costs.total("macs", drawn) <= bound).all()
    assert np.array_equal(SPACE.space.canonical(drawn), drawn)


def depthwise(channels: int, kernel: int) -> int:
    """Parameters of a depthwise, a pointwise convolution and BatchNorm."""
    return channels * kernel**2 + channels**2 + 2 * channels


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("max_pool_3x3", 2 * 8),
        ("avg_pool_3x3", 2 * 8),
        ("skip_connect", 0),
        ("sep_conv_3x3", 2 * depthwise(8, 3)),
        ("sep_conv_5x5", 2 * depthwise(8, 5)),
        ("dil_conv_3x3", depthwise(8, 3)),
        ("dil_conv_5x5", depthwise(8, 5)),
    ],
)
def test_operations_have_the_weights_of_the_paper(name: str, params: int) -> None:
    assert params_of(operations(8, 1)[name]) == params
    assert params_of(operations(8, 2)[name]) == (8 * 8 + 2 * 8 if name == "skip_connect" else params)


PUBLISHED = {
    "normal_2": "sep_conv_3x3 0, sep_conv_3x3 1",
    "normal_3": "sep_conv_3x3 0, sep_conv_3x3 1",
    "normal_4": "skip_connect 0, sep_conv_3x3 1",
    "normal_5": "skip_connect 0, dil_conv_3x3 2",
    "reduce_2": "max_pool_3x3 0, max_pool_3x3 1",
    "reduce_3": "max_pool_3x3 1, skip_connect 2",
    "reduce_4": "max_pool_3x3 0, skip_connect 2",
    "reduce_5": "max_pool_3x3 1, skip_connect 2",
}


def test_the_published_cells_have_the_published_size() -> None:
    """The second-order cells with 20 cells of 36 channels: 3,349,342 parameters, BatchNorm behind pooling left out."""
    chosen: dict[str, int | None] = dict.fromkeys(d.label for d in SPACE.space.decisions)
    for node, text in PUBLISHED.items():
        edges = {f"{node}_{source}": operation for operation, source in map(str.split, text.split(", "))}
        decisions = {d.label: d for d in SPACE.space.decisions if d.label in {node, *edges}}
        taken = tuple(i for i, edge in enumerate(decisions[node].candidates) if edge in edges)
        chosen[node] = decisions[node].index(taken)
        chosen |= {edge: decisions[edge].candidates.index(operation) for edge, operation in edges.items()}
    with torch.device("meta"):
        network = Network(3, 10, 36, 20)
    choices_of(network)
    pools = [edge for cell in decode(network, chosen).cells for edge in cell.edges.values() if _is_pool(edge)]  # type: ignore[union-attr]
    assert params_of(network) - sum(map(params_of, pools)) == 3_349_342


def _is_pool(edge: nn.Module) -> bool:
    return isinstance(edge, nn.Sequential) and isinstance(edge[0], nn.MaxPool2d)


@pytest.mark.parametrize("size", [(8, 8), (7, 8), (5, 3), (1, 1)])
def test_operations_halve_any_map_upwards(size: tuple[int, int]) -> None:
    x = torch.rand(2, 8, *size)
    shapes = {name: tuple(layer.eval()(x).shape) for name, layer in operations(8, 2).items()}
    assert set(shapes.values()) == {(2, 8, -(-size[0] // 2), -(-size[1] // 2))}


@pytest.mark.parametrize(
    ("name", "reach"), [("sep_conv_3x3", 2), ("sep_conv_5x5", 4), ("dil_conv_3x3", 2), ("dil_conv_5x5", 4)]
)
def test_convolutions_reach_as_far_as_the_paper_says(name: str, reach: int) -> None:
    """Two of stride 1 after each other; or one that leaves every other pixel out."""
    x = torch.zeros(1, 8, 11, 11, requires_grad=True)
    operations(8, 1)[name].eval()(1 + x)[..., 5, 5].sum().backward()
    assert x.grad is not None
    seen = x.grad[0].abs().sum(0)[5].nonzero().flatten().tolist()
    assert seen == list(range(5 - reach, 5 + reach + 1, 2 if "dil" in name else 1))


def test_mean_pooling_leaves_the_padding_out() -> None:
    pooled = operations(8, 1)["avg_pool_3x3"].eval()(torch.ones(1, 8, 3, 3))
    assert torch.allclose(pooled, torch.ones(1, 8, 3, 3), rtol=1e-4)


def test_half_of_the_channels_look_at_the_pixels_between() -> None:
    layer = FactorizedReduce(1, 2).eval()
    with torch.no_grad():
        layer.even.weight.fill_(1.0)
        layer.odd.weight.fill_(1.0)
    x = torch.arange(1.0, 17).view(1, 1, 4, 4)
    expected = torch.stack([x[0, 0, ::2, ::2], x[0, 0, 1::2, 1::2]])[None]
    assert torch.allclose(layer(x), expected, rtol=1e-4)


def taken(arch: Sequence[int]) -> dict[str, str]:
    return {d.label: d.name(i) for d, i in zip(SPACE.space.decisions, arch, strict=True)}


def test_a_node_is_the_sum_of_the_two_edges_it_takes(supernet: Supernet) -> None:
    arch = archs(1)[0].tolist()
    chosen, cell = taken(arch), supernet.network.cells[0]  # type: ignore[index, union-attr]
    before, last = (
        torch.rand(2, 12, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(i)) for i in (0, 1)
    )
    nodes: list[Tensor] = [cell.inputs[0](before), cell.inputs[1](last)]  # type: ignore[index, operator]
    for node in range(2, 6):
        edges = chosen[f"normal_{node}"].split("+")
        nodes.append(sum(_operation(cell, edge, chosen)(nodes[int(edge[-1])]) for edge in edges))  # type: ignore[arg-type]
    model = SPACE.model(arch).double().eval()
    model.load_state_dict(SPACE.inherit(supernet.state_dict(), arch))
    assert torch.equal(model.cells[0](before, last), torch.cat(nodes[2:], dim=1))  # type: ignore[index, operator]


def _operation(cell: nn.Module, edge: str, chosen: dict[str, str]) -> nn.Module:
    operation: nn.Module = cell.edges[edge][chosen[edge]]  # type: ignore[index]
    return operation


@pytest.mark.parametrize(("option", "value"), [("channels", 5), ("channels", 0), ("cells", 2)])
def test_wrong_options_are_refused(option: str, value: int) -> None:
    with pytest.raises(ConfigError, match=option):
        resolve("search_space", {"use": "darts", option: value})
