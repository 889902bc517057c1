"""The contracts of spaces, blocks, meters and evaluators pass what is right and notice every breach."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from torch import Tensor, nn

from nascli.cost.macs import Macs
from nascli.cost.model import CostModel
from nascli.search_space.tiny import Tiny
from nascli.search_strategy.base import Score
from nascli.space import Space
from nascli.supernet.mutables import LayerChoice
from nascli.testing import (
    BlockContract,
    CriterionContract,
    DataflowContract,
    EvaluatorContract,
    MeterContract,
    SearchSpaceContract,
    TrainingAgentContract,
)
from nascli.training_agent.base import Evaluator

from .kits import breaks

# --- search spaces ---------------------------------------------------------------------------------------------------


class Small(Tiny):
    def __init__(self) -> None:
        super().__init__(Tiny.Config(width=4))


class Other(Small):
    def describe(self) -> Space:
        found = super().describe()
        return Space(found.name, found.decisions, found.input_shape, found.classes, {"now": random.random()})


class Unlike(Small):
    def inherit(self, state: Any, arch: Sequence[int]) -> dict[str, Tensor]:
        return {name: value + 0.1 for name, value in super().inherit(state, arch).items()}


class Searching(Small):
    def model(self, arch: Sequence[int]) -> nn.Module:
        return nn.Sequential(super().model(arch), LayerChoice([nn.Identity()], label="left"))


class Cheap(Small):
    def lookup_table(self, meters: Any) -> CostModel:
        found = super().lookup_table(meters)
        return CostModel(
            found.space,
            {
                name: found.metrics[name].__class__(name, metric.unit, 0, metric.factors, metric.exact)
                for name, metric in found.metrics.items()
            },
        )


class Everything(Small):
    """Runs all candidates and keeps one."""

    def superlayer(self, layer: Any) -> nn.Module:
        return Greedy({placed.block.name: self.block(placed) for placed in layer}, label=layer[0].label)


class Greedy(LayerChoice):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + sum(1e-3 * self[i](x).mean() for i in range(len(self)))


@pytest.mark.parametrize(
    ("space", "test", "said"),
    [
        (Other, "test_it_describes_itself_alike_each_time", "global generator of random"),
        (Unlike, "test_a_path_of_the_supernet_is_the_network_that_inherits_it", "`model` differs by"),
        (Searching, "test_a_network_has_no_search_machinery_in_it", "leaves choices in the network: 1"),
        (Cheap, "test_exact_costs_are_those_of_the_network", "its network has"),
        (Everything, "test_a_step_touches_the_weights_of_its_path_alone", "a step changes"),
        (Everything, "test_a_step_keeps_no_more_memory_than_its_network", "a path keeps"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_wrong_space_is_told_what_it_breaks(space: Any, test: str, said: str) -> None:
    breaks(SearchSpaceContract, space, test, said)


def test_a_network_is_a_space() -> None:
    class Net(nn.Sequential):
        def __init__(self, input_shape: tuple[int, int, int] = (1, 4, 4), classes: int = 3) -> None:
            choice = LayerChoice([nn.Linear(16, classes), nn.Linear(16, classes, bias=False)], label="head")
            super().__init__(nn.Flatten(), choice)

    kit: Any = type("Kit", (SearchSpaceContract,), {"make": Net})()
    for test in (name for name in dir(kit) if name.startswith("test_")):
        getattr(kit, test)()


# --- blocks, meters, evaluators --------------------------------------------------------------------------------------


class Wide(nn.Conv2d):
    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__(in_channels, out_channels, 3, stride)


class Idle(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1, stride)
        self.unused = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Mixing(nn.Conv2d):
    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__(in_channels, out_channels, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x - x.mean(0))


@pytest.mark.parametrize(
    ("block", "test", "said"),
    [
        (Wide, "test_its_output_has_the_shape_of_its_place", r"output \(2, 8, 6, 6\), expected \(2, 8, 8, 8\)"),
        (Idle, "test_it_learns", "no gradient reaches unused.weight, unused.bias"),
        (Mixing, "test_an_image_is_seen_alone_in_evaluation", "changes what becomes of another"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_wrong_block_is_told_what_it_breaks(block: Any, test: str, said: str) -> None:
    breaks(BlockContract, block, test, said)


class Offset(Macs):
    def measure(self, module: nn.Module, shape: tuple[int, ...]) -> int:
        return super().measure(module, shape) + 1


class Negative(Macs):
    def measure(self, module: nn.Module, shape: tuple[int, ...]) -> int:
        return -1


class Breaking(Macs):
    def measure(self, module: nn.Module, shape: tuple[int, ...]) -> int:
        for parameter in module.parameters():
            parameter.data.zero_()
        return 0


@pytest.mark.parametrize(
    ("meter", "test", "said"),
    [
        (Offset, "test_exact_costs_of_a_chain_add_up", "in a row"),
        (Negative, "test_a_cost_is_a_finite_number", "costs -1"),
        (Breaking, "test_a_block_is_as_it_was", "changes a block"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_wrong_meter_is_told_what_it_breaks(meter: Any, test: str, said: str) -> None:
    breaks(MeterContract, meter, test, said)


class Counting(Evaluator):
    """Scores by how many were scored before."""

    def prepare(self, inputs: Any) -> dict[str, Any]:
        self.seen = 0
        return {}

    def evaluate(self, archs: Any) -> list[Score]:
        self.seen += 1
        return [Score(1 / (1 + self.seen), 0.0, 1)] * len(archs)


class Boundless(Counting):
    def evaluate(self, archs: Any) -> list[Score]:
        return [Score(float(arch.sum()), 0.0, 1) for arch in archs]


@pytest.mark.parametrize(
    ("evaluator", "test", "said"),
    [
        (Counting, "test_a_score_does_not_hang_on_what_was_scored_before", "other scores"),
        (Boundless, "test_every_architecture_has_a_score", "0 to 1"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_wrong_evaluator_is_told_what_it_breaks(evaluator: Any, test: str, said: str) -> None:
    breaks(EvaluatorContract, evaluator, test, said)


@pytest.mark.parametrize(
    "contract",
    [SearchSpaceContract, TrainingAgentContract, CriterionContract, DataflowContract, MeterContract, EvaluatorContract],
)
def test_a_kit_without_a_component_says_what_to_set(contract: Any) -> None:
    kit = contract()
    with pytest.raises(NotImplementedError, match="make"):
        getattr(kit, next(name for name in dir(kit) if name.startswith("test_")))()
