"""Training the network of the `generator` search strategy against a frozen supernet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from nascli.errors import RunFailed
from nascli.search_strategy.base import SearchProblem
from nascli.search_strategy.generator_network import GeneratorNetwork
from nascli.search_strategy.trained_generator import TrainedGenerator
from nascli.supernet.mixtures import MIXTURES, SAMPLED, gumbel

if TYPE_CHECKING:
    from nascli.search_strategy.generator import Generator

FORMS = {**MIXTURES, **SAMPLED}
NEIGHBOURS = 4  # priors near a target, of which a step takes one


def new_network(options: Generator.Config, sizes: tuple[int, ...], seed: int) -> GeneratorNetwork:
    """A network whose weights are drawn from `seed`; torch's global generator is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GeneratorNetwork(sizes, options.width, options.layers)


class Training:
    """One step: the loss of one generated architecture on the next batch, and the costs of many.

    Args:
        trained: its network is trained in place.
        seed: of everything that is drawn; equal seeds give equal steps.
    """

    def __init__(self, trained: TrainedGenerator, options: Generator.Config, problem: SearchProblem, seed: int) -> None:
        self.network, self.pool, self.low = trained.network, trained.pool, trained.low
        self.span = (trained.high - trained.low) or 1.0
        self.options, self.problem, self.metric = options, problem, problem.costs[trained.metric]
        self.seed, self.step = seed, 0
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=options.learning_rate)
        self.losses = {"loss": 0.0, "cost_error": 0.0}

    def run(self) -> None:
        """Train all steps, or those that an interrupted search left; fewer where the time is up before.

        Raises:
            RunFailed: a loss is not finite.
        """
        kept = self.problem.kept
        if kept is not None:
            self.step = kept[0]
            self.network.load_state_dict(dict(kept[1]["network"]))
            self.optimizer.load_state_dict(dict(kept[1]["optimizer"]))
        has_time = True
        while self.step < self.options.steps and has_time:
            self._one_step(np.random.default_rng([self.seed, self.step]))
            self.step += 1
            text = "  ".join(f"{name} {value:.3f}" for name, value in self.losses.items())
            has_time = self.problem.keep(self.step, self.options.steps, self.state_dict, text)

    def state_dict(self) -> Mapping[str, Any]:
        """What the next steps depend on."""
        return {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}

    def _one_step(self, rng: np.random.Generator) -> None:
        targets, priors = self._asked(rng)
        logits = self.network(targets, priors)
        loss = self._loss([rows[0] for rows in logits], rng)
        errors = self._cost_errors(logits, targets)
        total = loss + self.options.cost_weight * errors.square().mean()
        if not total.isfinite():
            hint = "lower search_strategy.learning_rate, or look at the supernet: nascli inspect supernet.pt"
            raise RunFailed(f"the loss of the generator is not finite at step {self.step}", hint=hint)
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip_grad)
        self._set_rate()
        self.optimizer.step()
        self.losses = {"loss": loss.item(), "cost_error": errors.detach().abs().mean().item()}

    def _asked(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Targets (b,) spread over the whole range in random order, and a prior near each, (b, decisions)."""
        b = self.options.batch
        targets = rng.permutation((np.arange(b) + rng.random(b)) / b)
        picked = rng.integers(0, NEIGHBOURS, b)
        near = (self.pool.near(self.low + t * self.span, NEIGHBOURS) for t in targets)
        priors = np.stack([archs[i % len(archs)] for archs, i in zip(near, picked, strict=True)])
        return torch.from_numpy(targets).float(), torch.from_numpy(priors)

    def _loss(self, logits: list[Tensor], rng: np.random.Generator) -> Tensor:
        noise = gumbel(logits, torch.Generator().manual_seed(int(rng.integers(2**63))))
        form = FORMS[self.options.mixture]
        scaled = [rows / self.temperature for rows in logits]
        return self.problem.relaxed_loss(form(self.problem.space, scaled, noise, self.temperature))

    def _cost_errors(self, logits: list[Tensor], targets: Tensor) -> Tensor:
        """Expected minus requested cost as shares of the range, (b,).

        The expectation is over the softmax at the temperature of the step: in the end that of the largest logits.
        """
        probabilities = [(rows / self.temperature).softmax(1) for rows in logits]
        expected: Tensor = torch.vmap(self.metric.expected)(probabilities)
        return (expected - self.low) / self.span - targets

    @property
    def temperature(self) -> float:
        """That of the step."""
        return self.options.temperature.at(self.step, self.options.steps)

    def _set_rate(self) -> None:
        """A cosine from the learning rate to 0."""
        share = self.step / self.options.steps
        for group in self.optimizer.param_groups:
            group["lr"] = self.options.learning_rate * (1 + np.cos(np.pi * share)) / 2
