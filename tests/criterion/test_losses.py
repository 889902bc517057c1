from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from nascli.component import resolve
from nascli.criterion.base import Criterion
from nascli.criterion.focal import Focal
from nascli.criterion.label_smoothing import LabelSmoothing
from nascli.criterion.mse import Mse
from nascli.errors import ConfigError

OUTPUTS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.3, -0.2]], dtype=torch.float64)
LABELS = torch.tensor([0, 2])
SOFT = torch.tensor([[0.7, 0.3, 0.0], [0.0, 0.5, 0.5]], dtype=torch.float64)


def test_a_focal_loss_of_gamma_0_is_the_cross_entropy() -> None:
    loss = Focal(Focal.Config(gamma=0.0)).build()
    torch.testing.assert_close(loss(OUTPUTS, LABELS), cross_entropy(OUTPUTS, LABELS))
    torch.testing.assert_close(loss(OUTPUTS, SOFT), cross_entropy(OUTPUTS, SOFT))


def test_a_focal_loss_is_its_formula() -> None:
    p = OUTPUTS.softmax(1)[torch.arange(2), LABELS]
    torch.testing.assert_close(Focal().build()(OUTPUTS, LABELS), (-((1 - p) ** 2) * p.log()).mean())


def test_the_squared_error_takes_classes_as_one_hot_targets() -> None:
    hot = torch.tensor([[1.0, 0, 0], [0, 0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(Mse().build()(OUTPUTS, LABELS), ((OUTPUTS - hot) ** 2).mean())
    torch.testing.assert_close(Mse().build()(OUTPUTS, SOFT), ((OUTPUTS - SOFT) ** 2).mean())


def test_label_smoothing_gives_a_tenth_to_all_classes() -> None:
    expected = cross_entropy(OUTPUTS, LABELS, label_smoothing=0.1)
    torch.testing.assert_close(LabelSmoothing().build()(OUTPUTS, LABELS), expected)


@pytest.mark.parametrize("targets", [LABELS, SOFT], ids=["labels", "probabilities"])
@pytest.mark.parametrize("criterion", [Focal(), Focal(Focal.Config(gamma=0.5)), Mse(), LabelSmoothing()])
def test_gradients_are_those_of_the_loss(criterion: Criterion, targets: Tensor) -> None:
    outputs, loss = OUTPUTS.clone().requires_grad_(), criterion.build()
    assert torch.autograd.gradcheck(lambda x: loss(x, targets), [outputs])


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_a_focal_loss_of_certain_outputs_has_a_finite_gradient(gamma: float) -> None:
    outputs = torch.tensor([[200.0, 0.0, 0.0]], requires_grad=True)
    for label in (0, 1):
        Focal(Focal.Config(gamma=gamma)).build()(outputs, torch.tensor([label])).backward()
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()


def test_a_negative_gamma_is_refused() -> None:
    with pytest.raises(ConfigError, match="gamma"):
        resolve("criterion", {"use": "focal", "gamma": -1.0})
