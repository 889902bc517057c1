"""Mutators as users write them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.supernet.mutables import InputChoice, LayerChoice
from nascli.training_strategy.adapted import adapted
from nascli.training_strategy.base import Losses
from nascli.training_strategy.mutator import Mutator
from tests.training_agent.helpers import fresh, tiny


class GuideMutator(Mutator):
    """The random mutator of NNI's guide, as its readers type it."""

    def __init__(self, model):
        super().__init__(model)

    def sample_search(self):
        result = dict()  # noqa: C408
        for mutable in self.mutables:
            if isinstance(mutable, LayerChoice):
                gen_index = np.random.randint(mutable.length)
                result[mutable.key] = torch.tensor([i == gen_index for i in range(mutable.length)], dtype=torch.bool)
            elif isinstance(mutable, InputChoice):  # noqa: SIM102
                if mutable.n_chosen is None:
                    result[mutable.key] = torch.randint(high=2, size=(mutable.n_candidates,)).view(-1).bool()
        return result

    def sample_final(self):
        return self.sample_search()


class Darts(Mutator):
    """Softmax over all candidates."""

    def __init__(self, model: nn.Module, temperature: float = 1.0) -> None:
        super().__init__(model)
        self.temperature = temperature
        self.alphas = nn.ParameterDict({m.key: torch.randn(len(m.decision.candidates)) * 1e-3 for m in self.mutables})

    def sample_search(self) -> dict[str, Tensor]:
        return {key: (alpha / self.temperature).softmax(0) for key, alpha in self.alphas.items()}


class Enas(Mutator):
    """REINFORCE (Williams, 1992) with a moving baseline."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.logits = nn.ParameterList([torch.zeros(len(m.decision.candidates)) for m in self.mutables])
        self.baseline: Tensor
        self.register_buffer("baseline", torch.zeros(()))

    def sample_search(self) -> dict[str, Tensor]:
        sample, self.log_prob = {}, torch.zeros(())
        for mutable, logits in zip(self.mutables, self.logits, strict=True):
            index = torch.multinomial(logits.softmax(0), 1)
            self.log_prob = self.log_prob + logits.log_softmax(0)[index].sum()
            sample[str(mutable.key)] = torch.arange(len(logits)) == index
        return sample

    def reward(self, losses: Losses) -> Tensor:
        advantage = losses.accuracies[0] - self.baseline
        self.baseline += 0.1 * advantage
        return -advantage * self.log_prob


class Own(Mutator):
    """Runs layer choices by its parameters directly, in a callback."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.alpha = nn.Parameter(torch.zeros(5))

    def sample_search(self) -> dict[str, Tensor]:
        return {str(m.key): torch.ones(5) * self.alpha.softmax(0) for m in self.mutables}

    def on_forward_layer_choice(self, mutable: Any, *args: Any, **kwargs: Any) -> Any:
        weights = self.alpha.softmax(0)
        return sum(w * mutable[i](*args, **kwargs) for i, w in enumerate(weights))


def ready(mutator: type[Mutator], module: nn.Module | None = None, **options: Any) -> Any:
    """The strategy of a mutator, bound to the tiny supernet or to another."""
    cls = adapted(mutator)
    strategy, space = cls(cls.Config(**options)), tiny().space
    costs = CostModel(space, {})
    strategy.setup(space, costs, FeasibleSet(costs, []))
    strategy.bind(module or fresh(tiny().supernet))
    return strategy
