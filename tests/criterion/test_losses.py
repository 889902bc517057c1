from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy

from nascli.criterion.focal import Focal
from nascli.criterion.label_smoothing import LabelSmoothing
from nascli.criterion.mse import Mse

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
