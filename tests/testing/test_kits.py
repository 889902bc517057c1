"""The contracts of the other kinds pass what is right and notice every breach."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from torch import Tensor, nn

from nascli.cost.macs import Macs
from nascli.cost.model import CostModel
from nascli.criterion.base import Criterion
from nascli.criterion.cross_entropy import CrossEntropy
from nascli.dataflow.synthetic import Synthetic, SyntheticImages
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
from nascli.training_agent.classification import Classification


def breaks(contract: Any, make: Any, test: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        getattr(type("Kit", (contract,), {"make": make})(), test)()


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


# --- training agents, criteria, data ---------------------------------------------------------------------------------


class Whole(Classification):
    def judge(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        scores, losses = super().judge(outputs, labels)
        return scores.mean(), losses


class Percent(Classification):
    def judge(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        scores, losses = super().judge(outputs, labels)
        return 100 * scores, losses


class Relative(Classification):
    def judge(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        scores, losses = super().judge(outputs, labels)
        return scores, losses - losses.min()


class Away(Classification):
    def imitate(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        return (outputs - teacher).square().mean().sqrt().detach() + 0 * outputs.sum()


class Tensors(Classification):
    def report(self, outputs: Tensor, labels: Tensor, classes: Sequence[str]) -> dict[str, Any]:
        return {"loss": float("nan")}


class Writing(Classification):
    def judge(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return super().judge(outputs.mul_(2), labels)


@pytest.mark.parametrize(
    ("agent", "test", "said"),
    [
        (Whole, "test_every_image_has_a_score_and_a_loss", r"scores of 8 images have shape torch.Size\(\[\]\)"),
        (Percent, "test_every_image_has_a_score_and_a_loss", "lie in 0 to 1"),
        (Relative, "test_a_validation_does_not_hang_on_its_batches", "in two batches"),
        (Away, "test_a_student_moves_towards_its_teacher", "makes it larger"),
        (Writing, "test_it_changes_nothing_that_it_is_given", "writes into the outputs"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_wrong_agent_is_told_what_it_breaks(agent: Any, test: str, said: str) -> None:
    breaks(TrainingAgentContract, agent, test, said)


def test_a_report_of_what_json_cannot_hold_is_noticed() -> None:
    kit: Any = type("Kit", (TrainingAgentContract,), {"make": Tensors})()
    with pytest.raises(ValueError, match="not JSON compliant"):
        kit.test_its_report_is_plain_json_and_repeats_itself()


def criterion(loss: Any) -> type[Criterion]:
    class Module(nn.CrossEntropyLoss):
        def forward(self, outputs: Tensor, targets: Tensor) -> Any:
            return loss(super().forward, outputs, targets)

    class Mine(CrossEntropy):
        def build(self) -> nn.Module:
            return Module()

    return Mine


@pytest.mark.parametrize(
    ("loss", "test", "said"),
    [
        (lambda f, o, t: f(o, t) * len(o), "test_it_is_a_mean_over_the_batch", "twice the batch"),
        (lambda f, o, t: f(o, t)[None], "test_it_is_a_finite_scalar_with_a_gradient", "is a scalar"),
        (lambda f, o, t: f(o, t) / 0, "test_it_is_a_finite_scalar_with_a_gradient", "the loss is inf"),
        (lambda f, o, t: 0 * f(o, t), "test_it_is_a_finite_scalar_with_a_gradient", "no gradient"),
        (lambda f, o, t: f(2 * o.detach() - o, t), "test_steps_along_its_gradient_lower_it", "makes the loss larger"),
        (lambda f, o, t: f(o, t) * random.random(), "test_it_changes_nothing_that_it_is_given", "generator of random"),
        (
            lambda f, o, t: f(o, t) if t.dim() == 1 else f(o, t)[None],
            "test_it_takes_the_targets_of_mixed_images",
            "probabilities",
        ),
    ],
)
def test_a_wrong_criterion_is_told_what_it_breaks(loss: Any, test: str, said: str) -> None:
    breaks(CriterionContract, criterion(loss), test, said)


class Few(Synthetic):
    def __init__(self) -> None:
        super().__init__(
            Synthetic.Config(classes=3, image_shape=(1, 4, 4), train_images=30, test_images=6, batch_size=4)
        )


class Anew(Few):
    """Other pixels each time that it is made."""

    def source(self, part: Any) -> Any:
        if part == "valid":
            return None
        seeded = self.config.model_copy(update={"seed": int(np.random.default_rng().integers(2**31))})
        return SyntheticImages(seeded, part)


class Sorted(Few):
    """Every epoch is the first."""

    def batches(self, split: Any, **options: Any) -> Any:
        return super().batches(split, **{**options, "epoch": 0})


class Unstarted(Few):
    def batches(self, split: Any, **options: Any) -> Any:
        return super().batches(split, **{**options, "start": 0})


class Leaking(Few):
    def indices(self, split: Any, **options: Any) -> Any:
        return super().indices("train" if split == "valid" else split, **options)


@pytest.mark.parametrize(
    ("data", "test", "said"),
    [
        (Anew, "test_it_describes_itself_alike_each_time", "other data"),
        (Sorted, "test_training_is_a_function_of_seed_and_epoch", "in the same order"),
        (Unstarted, "test_an_epoch_can_be_resumed_at_any_batch", "batch 1 is another one"),
        (Leaking, "test_no_image_is_in_two_splits", "in `train` and in `valid`"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_wrong_data_set_is_told_what_it_breaks(data: Any, test: str, said: str) -> None:
    breaks(DataflowContract, data, test, said)


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
