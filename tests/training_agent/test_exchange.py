from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nascli.ranks import ALONE, Ranks
from nascli.training_agent.exchange import Exchange, Share, synchronised
from nascli.training_strategy.base import Losses


class Doubling(Ranks):
    """Two processes that have the same; where this one has no gradient, the other one may."""

    world_size = 2

    def __init__(self, *also: int) -> None:
        self.also, self.sent = also, []

    def any_of(self, flags: Sequence[bool]) -> list[bool]:
        return [flag or i in self.also for i, flag in enumerate(flags)]

    def sum(self, tensors: Sequence[Tensor]) -> None:
        self.sent = [tensor.clone() for tensor in tensors]
        for tensor in tensors:
            tensor.mul_(2)


def two_branches() -> nn.ModuleDict:
    return nn.ModuleDict({"a": nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), "b": nn.Linear(3, 2)})


NOTHING = Losses([], [])


def test_only_what_has_a_gradient_somewhere_and_buffers_that_were_written_travel() -> None:
    module, ranks = two_branches(), Doubling()
    exchange = Exchange(module)
    exchange.begin()
    module["b"](torch.ones(4, 3)).sum().backward()
    exchange.end(Share(ranks, 0.5), list(module.parameters()), NOTHING)
    assert [tuple(tensor.shape) for tensor in ranks.sent] == [(2, 3), (2,)]
    assert torch.equal(module["b"].weight.grad, torch.full((2, 3), 8.0))
    exchange.begin()
    module["a"](torch.randn(4, 3))
    exchange.end(Share(ranks, 0.5), [], NOTHING)
    assert [tuple(tensor.shape) for tensor in ranks.sent] == [(2,), (2,)]  # mean and variance


def test_buffers_become_their_weighted_mean() -> None:
    module, ranks = nn.BatchNorm1d(2), Doubling()
    exchange = Exchange(module)
    exchange.begin()
    module(torch.randn(8, 2))
    own = module.running_mean.clone()
    exchange.end(Share(ranks, 0.5), [], NOTHING)
    torch.testing.assert_close(module.running_mean, own)
    assert module.num_batches_tracked == 1


def test_a_gradient_that_another_process_has_is_zero_here() -> None:
    module, ranks = nn.Linear(3, 2), Doubling(0, 1)
    exchange = Exchange(module)
    exchange.begin()
    exchange.end(Share(ranks, 0.5), list(module.parameters()), NOTHING)
    assert module.weight.grad is not None
    assert not module.weight.grad.any()


def test_losses_are_those_of_the_whole_batch() -> None:
    exchange = Exchange(nn.Linear(3, 2))
    exchange.begin()
    given = Losses([torch.tensor(3.0, dtype=torch.float64)], [torch.tensor(0.25)])
    found = exchange.end(Share(Doubling(), 0.5), [], given)
    assert (found.losses[0].item(), found.accuracies[0].item()) == (3.0, 0.25)


def test_synchronised_batchnorm_of_one_process_is_that_of_torch() -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, momentum=None), nn.ReLU(), nn.BatchNorm2d(4)).double()
    ours, images = copy.deepcopy(plain), torch.randn(5, 3, 6, 6, dtype=torch.float64)
    for _ in range(2):
        plain(images).square().sum().backward()
        with synchronised(ours.modules(), ALONE):
            ours(images).square().sum().backward()
    for one, other in zip(plain.parameters(), ours.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)
    torch.testing.assert_close(dict(plain.named_buffers()), dict(ours.named_buffers()))
    with synchronised(ours.modules(), ALONE):
        torch.testing.assert_close(ours.eval()(images), plain.eval()(images))
