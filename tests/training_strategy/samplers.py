"""The other library's samplers, as users write them."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from torch import nn

from nascli.cost.feasible import FeasibleSet
from nascli.testing.network import network
from nascli.testing.spaces import chain, feasible
from nascli.training_strategy.adapted import adapted
from nascli.training_strategy.base import Losses, Update
from nascli.training_strategy.sampler import BaseSampler


class UniformSampler(BaseSampler):
    """As the guide's template asks, super() and DataParallel included."""

    def __init__(self, micro_len, macro_len, model):
        super(UniformSampler, self).__init__(micro_len, macro_len, model)  # noqa: UP008

    def step(self):
        model = self.model.module if isinstance(self.model, nn.DataParallel) else self.model
        model.set_forward_state("single")
        model.set_activate_architecture(torch.randint(low=0, high=self.micro_len, size=(self.macro_len,)))


class FairSampler(BaseSampler):
    """Every candidate once before any twice; remembers its order in lists."""

    def __init__(self, micro_len, macro_len, model):
        super().__init__(micro_len, macro_len, model)
        self.order = [list(range(micro_len)) for _ in range(macro_len)]
        self.position = 0
        self.counts = np.zeros(micro_len, dtype=np.int64)
        self.shuffle()
        self.model.set_forward_state("single")

    def shuffle(self):
        for order in self.order:
            random.shuffle(order)

    def architecture(self):
        return [order[self.position] for order in self.order]

    def step(self):
        arch = self.architecture()
        self.counts[arch[0]] += 1
        self.model.set_activate_architecture(np.array(arch))
        self.position = (self.position + 1) % self.micro_len
        if self.position == 0:
            self.shuffle()


class SoftmaxSampler(BaseSampler):
    """DARTS."""

    def __init__(self, micro_len, macro_len, model):
        super().__init__(micro_len, macro_len, model)
        self.model.initialize_arch_param()

    def step(self):
        self.model.set_forward_state("softmax")


class GumbelSampler(SoftmaxSampler):
    """FBNet: the temperature falls; it starts at an option of the sampler."""

    def __init__(self, micro_len, macro_len, model, tau=5.0):
        super().__init__(micro_len, macro_len, model)
        self.tau = tau

    def step(self):
        self.model.set_forward_state("gumbel_softmax", tau=self.tau)
        self.tau *= 0.9


def ready(sampler: type[BaseSampler], among: FeasibleSet | None = None, **options: Any) -> Any:
    """The strategy of a sampler on a space of 3, 4 and 3 candidates, or another."""
    among = among or feasible(chain([[0, 3, 5], [1, 2, 9, 4], [7, 7, 0]]))
    cls = adapted(sampler)
    strategy = cls(cls.Config(**options))
    strategy.setup(among.space, among.model, among)
    strategy.bind(network(among.space))
    return strategy


def step(strategy: Any, number: int = 0) -> list[Update]:
    losses = Losses([torch.tensor(1.0)], [torch.tensor(0.5)])
    generator = strategy.updates(number, np.random.default_rng(number))
    found = [next(generator)]
    while True:
        try:
            found.append(generator.send(losses))
        except StopIteration:
            return found


def path(update: Update) -> list[tuple[int, ...]]:
    return [selection.active for selection in update.passes[0].forward.values()]
