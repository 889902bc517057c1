"""What the training benchmark runs: steps of nascli's own trainer, and the loops that one would write without it."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nascli.component import resolve
from nascli.cost.feasible import FeasibleSet
from nascli.dataflow.base import Batch
from nascli.dataflow.synthetic import Synthetic
from nascli.run import Run
from nascli.search_space.base import SearchSpace
from nascli.space import Forward, Space
from nascli.supernet.base import Supernet
from nascli.training_agent.base import Setup
from nascli.training_agent.classification import Classification
from nascli.training_agent.exchange import Share
from nascli.training_agent.loop import Trainer
from nascli.training_agent.searching import costs_of
from nascli.training_agent.settings import Training
from nascli.training_agent.updates import WHOLE
from nascli.training_strategy.base import Pass, TrainingStrategy, Update, Updates
from nascli.training_strategy.differentiable import Differentiable
from nascli.training_strategy.fair import Fair
from tests.benchmarks.pairs import Work
from tests.benchmarks.table import Options

IMAGE = (3, 32, 32)
CLASSES = 10
LONG = 10**6  # epochs: no schedule ends within a benchmark


class Still:
    """A stream of one batch, so that reading data is not measured."""

    position = 0

    def __init__(self, batch: Batch, share: Share = WHOLE) -> None:
        self.batch, self.share = batch, share

    def next(self) -> Batch:
        """The same batch as ever."""
        return self.batch


class Singly(Fair):
    """The paths of fair training, with an optimiser step after each of them."""

    def updates(self, step: int, rng: Any) -> Updates:
        """As many updates as paths."""
        for update in super().updates(step, rng):
            for path in update.passes:
                yield Update([path])


class Given(TrainingStrategy):
    """Weight steps that run what they are given."""

    forward: Forward

    def updates(self, step: int, rng: Any) -> Updates:
        """One pass."""
        yield Update([Pass(self.forward)])


@cache
def space_of(name: str) -> SearchSpace:
    """A search space for small images."""
    found: SearchSpace = resolve("search_space", {"use": name, "input_shape": IMAGE, "classes": CLASSES}).build()
    return found


@cache
def feasible_of(name: str) -> FeasibleSet:
    """All architectures of a space; its costs are counted once."""
    return FeasibleSet(costs_of(space_of(name), None))


def strategy_of(name: str) -> TrainingStrategy:
    """A strategy by its name, or differentiable training by the name of its mixture."""
    if name in ("softmax", "gumbel_softmax", "sum", "gdas", "proxyless"):
        return Differentiable(Differentiable.Config(mixture=name))  # type: ignore[arg-type]
    allowed = {"allow_unshared": True} if name == "sandwich" else {}
    found: TrainingStrategy = resolve("training_strategy", {"use": name, **allowed}).build()
    return found


def batch_of(size: int, seed: int = 0) -> Batch:
    """Random images and labels, channels_last."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(size, *IMAGE, generator=generator).to(memory_format=torch.channels_last)
    return Batch(images, torch.randint(CLASSES, (size,), generator=generator))


def trainer_of(name: str, strategy: TrainingStrategy, size: int, options: Options, seed: int = 0) -> Trainer:
    """A trainer of the space's supernet, before its first step, with one batch for each split."""
    feasible = feasible_of(name)
    strategy.setup(feasible.space, feasible.model, feasible)
    images = Synthetic.Config(image_shape=IMAGE, classes=CLASSES, train_images=4 * size, batch_size=size)
    told = Training(
        accelerator=options.accelerator,  # type: ignore[arg-type]
        precision=options.precision,  # type: ignore[arg-type]
        threads=options.threads,
        epochs=LONG,
        schedule="constant",
        warmup_epochs=0,
        learning_rate=1e-3,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = space_of(name).supernet()
    path = Path(tempfile.gettempdir()) / "benchmark.pt"  # nothing is written
    trainer = Trainer(module, strategy, Setup(Classification(), Synthetic(images), Run(path, seed=seed)), told)
    batch = Batch(*(part.to(trainer.engine.device) for part in batch_of(size, seed)))
    give_momentum(trainer.updater.optimizers["weights"])
    trainer.streams = {split: Still(batch) for split in trainer.streams}  # type: ignore[misc]
    return trainer


def step_of(trainer: Trainer) -> Work:
    """The next step of a trainer, all that it does but reading data."""
    return trainer._train_step


def drawn(trainer: Trainer, step: int) -> Forward:
    """What the trainer runs first in a step."""
    update = next(trainer.strategy.updates(step, trainer.run.rng("path", step)))
    forward = update.passes[0].forward
    assert forward is not None
    return forward


def in_a_row(supernet: nn.Module, space: Space, forward: Forward) -> nn.Sequential:
    """The very blocks that a path runs, one after another without any choice."""
    assert isinstance(supernet, Supernet)
    first, layers, last = (supernet.network.get_submodule(part) for part in ("first", "layers", "last"))
    chosen = (layers.get_submodule(f"{d.label}.{d.candidates[forward[d.label].active[0]]}") for d in space.decisions)
    return nn.Sequential(first, *chosen, last)


class PlainLoop:
    """A hand-written loop over the same paths as a trainer's, with the same layout, optimiser and clipping.

    Args:
        steps: how many there can be: the networks are chained before the clock starts.
    """

    def __init__(self, trainer: Trainer, steps: int = 1000) -> None:
        self.supernet, self.batch = copy.deepcopy(trainer.module), trainer.streams["train"].next()
        self.optimizer = same_optimizer(trainer, self.supernet)
        self.weights = list(self.supernet.parameters())
        space = trainer.strategy.space
        self.networks = iter([in_a_row(self.supernet, space, drawn(trainer, step)) for step in range(steps)])

    def __call__(self) -> None:
        """One step."""
        network = next(self.networks)
        self.optimizer.zero_grad()
        loss = cross_entropy(network(self.batch.images), self.batch.labels)
        loss.backward()
        nn.utils.clip_grad_norm_(self.weights, 5.0)
        self.optimizer.step()


def same_optimizer(trainer: Trainer, module: nn.Module) -> torch.optim.Optimizer:
    """The trainer's optimiser for a copy of its module."""
    names = {id(p): name for name, p in trainer.module.named_parameters()}
    own = dict(module.named_parameters())
    theirs = trainer.updater.optimizers["weights"]
    groups = [{**group, "params": [own[names[id(p)]] for p in group["params"]]} for group in theirs.param_groups]
    found = type(theirs)(groups)  # type: ignore[call-arg]
    give_momentum(found)
    return found


def give_momentum(optimizer: torch.optim.Optimizer) -> None:
    """Each weight has a momentum, in its layout, as after many steps."""
    for group in optimizer.param_groups:
        for p in group["params"]:
            optimizer.state[p]["momentum_buffer"] = torch.zeros_like(p)


class NaiveMixture(nn.Module):
    """The weighted sum of all candidates of every layer, as one writes it, in the usual layout."""

    def __init__(self, supernet: Supernet, space: Space, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        network = copy.deepcopy(supernet.network).to(memory_format=torch.contiguous_format)
        self.first, self.last = network.get_submodule("first"), network.get_submodule("last")
        self.layers = nn.ModuleList(
            nn.ModuleList(network.get_submodule(f"layers.{d.label}.{name}") for name in d.candidates)
            for d in space.decisions
        )
        self.weights: Sequence[Tensor] = [weights[d.label] for d in space.decisions]

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, classes)."""
        x = self.first(x)
        for weights, layer in zip(self.weights, self.layers, strict=True):
            assert isinstance(layer, nn.ModuleList)
            outputs = [w * candidate(x) for w, candidate in zip(weights, layer, strict=True)]
            x = sum(outputs[1:], outputs[0])
        output: Tensor = self.last(x)
        return output
