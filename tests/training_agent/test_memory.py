from __future__ import annotations

import pytest
import torch
from torch import nn

from nascli.training_agent.memory import activation_bytes

from .helpers import fresh, state_of

SHAPE = (3, 8, 8)
FLOAT = 4
IMAGE, MAPS = 3 * 8 * 8, 4 * 8 * 8  # numbers an image: what comes in, and four maps of its size


def kept(*layers: nn.Module, batch: int = 10) -> int:
    return activation_bytes(fresh(lambda: nn.Sequential(*layers)), None, SHAPE, batch)


def test_a_convolution_keeps_its_input() -> None:
    assert kept(nn.Conv2d(3, 4, 3, padding=1)) == 10 * FLOAT * IMAGE


def test_what_two_layers_keep_together_counts_once() -> None:
    """The input of the second convolution is the output that the activation keeps."""
    layers = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1)
    assert kept(*layers) == 10 * FLOAT * (IMAGE + MAPS)


def test_weights_are_not_counted() -> None:
    assert kept(nn.Flatten(), nn.Linear(IMAGE, 10_000), batch=2) == 2 * FLOAT * IMAGE


@pytest.mark.parametrize("batch", [1, 2, 64])
def test_it_grows_with_the_batch(batch: int) -> None:
    assert kept(nn.Conv2d(3, 4, 1), batch=batch) == batch * FLOAT * IMAGE


def test_measuring_leaves_neither_gradients_nor_statistics() -> None:
    module = fresh(lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)))
    before = state_of(module)
    activation_bytes(module, None, SHAPE, 4)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(p.grad is None for p in module.parameters())
