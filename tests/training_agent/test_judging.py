from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nascli.training_agent.judging import Judged


class Halves:
    """The score is half of the output, the loss its double."""

    def judge(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return outputs / 2, outputs * 2


def test_the_means_are_over_images_and_not_over_batches() -> None:
    judged = Judged(Halves())
    judged.add(torch.tensor([1.0, 1.0, 1.0]), torch.zeros(3))
    judged.add(torch.tensor([0.0]), torch.zeros(1))
    found = judged.score()
    assert (found.accuracy, found.loss, found.images, found.error) == (0.375, 1.5, 4, None)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_an_error(value: float) -> None:
    judged = Judged(Halves())
    judged.add(torch.tensor([1.0, value]), torch.zeros(2))
    assert judged.score().error == "the loss is not finite"
