"""A network with every kind of decision, its costs, and small chains that need no network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nascli.cost.constraint import Constraint
from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel, Factor, Metric
from nascli.dataflow.base import Batch
from nascli.space import Forward, Space
from nascli.supernet.base import Supernet
from nascli.supernet.choices import decisions_of
from nascli.supernet.mutables import InputChoice, LayerChoice, Repeat
from nascli.training_strategy.base import TrainingStrategy, Update
from nascli.training_strategy.differentiable import Differentiable
from tests.cost.helpers import chain

MIXED, SAMPLED = ("softmax", "gumbel_softmax", "sum"), ("gdas", "proxyless")
ALL = (*MIXED, *SAMPLED)


def conv(kernel: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(4, 4, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(4))


class Cell(nn.Module):
    """`op` of 3, `inner` within its last candidate, a `depth` of 1 to 3 blocks, `join` takes 2 of 3 tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        inner = LayerChoice({"k1": conv(1), "k3": conv(3), "k5": conv(5)}, label="inner")
        branch = nn.Sequential(conv(1), inner)
        self.op = LayerChoice({"skip": nn.Identity(), "conv": conv(3), "branch": branch}, label="op")
        self.depth = Repeat(lambda i: conv(3), (1, 3), label="depth")
        self.join = InputChoice(3, n_chosen=2, label="join")
        self.last = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        second = self.op(first)
        third = self.depth(second)
        output: Tensor = self.last(self.join([first, second, third]).mean((2, 3)))
        return output


def cell(dtype: torch.dtype = torch.float32) -> Supernet:
    """A supernet with the same fresh weights each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Supernet(Cell().to(dtype))


CELL = Space("cell", decisions_of(cell()), (3, 8, 8), 4)


def cell_costs() -> CostModel:
    """Two metrics; `inner` costs something only where `op` is its branch."""
    at = {decision.label: i for i, decision in enumerate(CELL.decisions)}
    tables = {
        "macs": (100, [[0, 0, 0], [36, 36, 36], [20, 52, 116]], [36, 72, 108], [0, 3, 5]),
        "latency_ms": (0.5, [[0.0] * 3, [0.25] * 3, [0.5, 0.375, 1.0]], [0.5, 0.75, 2.0], [0.0, 0.125, 0.0]),
    }
    metrics = {}
    for name, (base, joint, depth, join) in tables.items():
        places = ((at["op"], at["inner"]), joint), ((at["depth"],), depth), ((at["join"],), join)
        factors = tuple(Factor(decisions, np.array(values)) for decisions, values in places)
        metrics[name] = Metric(name, "1", base, factors, exact=True)
    return CostModel(CELL, metrics)


def repeated() -> Supernet:
    """Two depths of 1 to 3, so that the candidates of every decision contain each other."""
    rows = [Repeat(lambda i: conv(3), (1, 3), label=label) for label in ("left", "right")]
    return Supernet(nn.Sequential(nn.Conv2d(3, 4, 1), *rows, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4)))


def images(dtype: torch.dtype = torch.float32) -> Batch:
    generator = torch.Generator().manual_seed(1)
    drawn = torch.randn(6, 3, 8, 8, generator=generator, dtype=torch.float64)
    return Batch(drawn.to(dtype), torch.tensor([0, 1, 2, 3, 0, 1]))


def flat(*sizes: int) -> CostModel:
    """Independent decisions of these sizes; index i costs i of "macs"."""
    return chain({"macs": [list(range(size)) for size in sizes]}, base=1)


def ready(made: TrainingStrategy, model: CostModel, *constraints: str) -> Any:
    """The strategy after its `setup`."""
    made.setup(model.space, model, FeasibleSet(model, [Constraint.parse(text) for text in constraints]))
    return made


def updates(strategy: TrainingStrategy, step: int, seed: int = 0) -> list[Update]:
    """The updates of a step, to which nobody answers."""
    return list(strategy.updates(step, np.random.default_rng([seed, step])))


def arch_of(forward: Forward, space: Space) -> tuple[int, ...]:
    """The canonical architecture of a forward that runs one path."""
    selections = [(forward[d.label].active, d) for d in space.decisions]
    return tuple(d.index(active) if active else 0 for active, d in selections)


def differentiable(model: CostModel, mixture: str, **options: Any) -> Differentiable:
    made: Differentiable = ready(Differentiable(Differentiable.Config(mixture=mixture, **options)), model)
    return made


def turn(strategy: Differentiable, label: str, values: Sequence[float]) -> None:
    """Set the architecture parameters of one decision."""
    with torch.no_grad():
        strategy.arch_parameters()[label].copy_(torch.tensor(values))


def step(strategy: Differentiable, number: int = 0, seed: int = 0) -> tuple[Update, Update]:
    """The architecture update and the weights update of a step."""
    arch, weights = updates(strategy, number, seed)
    return arch, weights
