from __future__ import annotations

import torch
from torch import nn
from torchvision.models.segmentation.deeplabv3 import ASPP

from .helpers import made, random, same_weights


def test_the_pyramid_is_torchvisions() -> None:
    block, other = made("aspp", out=6), ASPP(4, (12, 24, 36), 6)
    same_weights(block, other)
    torch.testing.assert_close(block(random(4)), other(random(4)))


def test_rates_are_dilations() -> None:
    dilations = [m.dilation[0] for m in made("aspp", {"rates": [2, 3]}).modules() if isinstance(m, nn.Conv2d)]
    assert sorted(dilations) == [1, 1, 1, 2, 3]


def test_a_stride_shrinks_the_result() -> None:
    block, other = made("aspp", {"rates": [2]}, out=6, stride=2), made("aspp", {"rates": [2]}, out=6)
    same_weights(block, other)
    expected = nn.functional.avg_pool2d(other(random(4)), 2)
    torch.testing.assert_close(block(random(4)), expected)
