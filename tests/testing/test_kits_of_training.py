"""The contracts of training agents, criteria and data notice every breach."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from torch import Tensor, nn

from nascli.criterion.base import Criterion
from nascli.criterion.cross_entropy import CrossEntropy
from nascli.dataflow.synthetic import Synthetic, SyntheticImages
from nascli.testing import CriterionContract, DataflowContract, TrainingAgentContract
from nascli.training_agent.classification import Classification

from .kits import breaks


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
