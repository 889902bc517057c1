"""Layers that count their calls, and small networks with all kinds of choices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nascli.space import Archs, Condition, Selection, Space
from nascli.supernet.choices import decisions_of
from nascli.supernet.mutables import InputChoice, LayerChoice, Mutable, Repeat
from nascli.supernet.scope import choosing
from nascli.supernet.selected import Selected

torch.set_num_threads(1)

FACTORS = (2.0, -3.0, 5.0, 0.5)
X = torch.rand(2, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


class Scaled(nn.Module):
    """factor · x, with a trainable factor; counts its calls."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor, self.calls = nn.Parameter(torch.tensor(factor, dtype=torch.float64)), 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.factor * x


def layer(**options: Any) -> LayerChoice:
    return LayerChoice([Scaled(factor) for factor in FACTORS], **options)


def select(choice: Mutable, *active: int, weights: Tensor | None = None) -> Any:
    """Within the block, this choice alone is selected."""
    return choosing(Selected({choice.label or "": Selection(active, weights)}))


def run(choice: Mutable, selection: Selection, *args: Any, **kwargs: Any) -> Any:
    """What the choice gives when this is selected for it."""
    with choosing(Selected({choice.label or "": selection})):
        return choice(*args, **kwargs)


def calls(network: nn.Module) -> list[int]:
    """How often each counting layer ran, a shared one once, in the order of the modules."""
    return [module.calls for module in network.modules() if isinstance(module, Scaled)]


def space_of(network: nn.Module) -> Space:
    return Space(type(network).__name__, decisions_of(network), (3, 4, 4), 10)


def architectures(space: Space) -> Archs:
    """All canonical ones."""
    positions = [i for group in space.groups for i in group.decisions]
    joint = np.zeros((1, 0), dtype=np.int64)
    for group in space.groups:
        rows = np.repeat(joint, len(group.states), axis=0)
        joint = np.concatenate([rows, np.tile(group.states, (len(joint), 1))], axis=1)
    return joint[:, np.argsort(positions)]


def indices(space: Space, arch: Any) -> Mapping[str, int | None]:
    """Label → index, None where the decision does not exist."""
    exists = space.exists(np.asarray(arch))
    return {d.label: int(i) if e else None for d, i, e in zip(space.decisions, arch, exists, strict=True)}


def op(*inside: Any, **options: Any) -> LayerChoice:
    """A choice between "0", "1", …; what is given stands inside."""
    return LayerChoice([module or nn.Identity() for module in inside] or [nn.Identity(), nn.Tanh()], **options)


def hanging(network: nn.Module) -> dict[str, tuple[Condition, ...]]:
    """Label → the conditions of each decision, in order."""
    return {d.label: d.active_if for d in decisions_of(network)}


def named(**modules: nn.Module) -> nn.Module:
    return nn.ModuleDict(modules)


# --- networks --------------------------------------------------------------------------------------------------------


def conv(kernel: int = 1, out: int = 3) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, out, kernel, padding=kernel // 2), nn.BatchNorm2d(out))


class Rows(nn.Module):
    """Choices one after another, two of them called alike, one used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.a = LayerChoice({"wide": conv(3), "thin": conv(1), "skip": nn.Identity()}, label="alike")
        self.b = LayerChoice({"wide": conv(3), "thin": nn.Tanh(), "skip": nn.Identity()}, label="alike")
        self.c = LayerChoice([conv(3), conv(1)])
        self.again = self.c
        self.inside = nn.ModuleDict({"c": self.c})

    def forward(self, x: Tensor) -> Tensor:
        return self.inside["c"](self.again(self.c(self.b(self.a(x)))))


class Nested(nn.Module):
    """Choices within choices, three deep, through a module and through a repeat."""

    def __init__(self) -> None:
        super().__init__()
        inner = LayerChoice({"one": conv(1), "deep": Repeat(lambda i: conv(1), (1, 3))})
        blocks = [LayerChoice([conv(3), conv(1)]), nn.Sequential(LayerChoice([conv(3), nn.Tanh()], label="act"))]
        self.op = LayerChoice({"plain": conv(3), "block": nn.Sequential(conv(1), inner)})
        self.body = Repeat(blocks, (0, 2), label="depth")

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self.op(x))


class Shared(nn.Module):
    """One module in two candidates of one choice and in one of another; the choice inside it is one decision."""

    def __init__(self) -> None:
        super().__init__()
        block = nn.Sequential(conv(1), LayerChoice([conv(3), nn.Tanh()], label="inner"))
        self.a = LayerChoice({"x": block, "y": nn.Sequential(block, block), "z": conv(1)})
        self.b = LayerChoice({"x": nn.Identity(), "y": block})

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x))


class Inputs(nn.Module):
    """Input choices of every number and reduction; some inputs are outputs of choices that serve nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.ops = nn.ModuleList(
            LayerChoice([conv(3), Repeat(lambda i: conv(1), (1, 2), label=f"depth_{i}")], label=f"op_{i}")
            for i in range(2)
        )
        self.any = InputChoice(choose_from=["op_0", "op_1", "stem"], reduction="mean", label="any")
        self.two = InputChoice(3, n_chosen=2, reduction="concat", label="two")
        self.one = InputChoice(2, n_chosen=1, label="one")
        self.mix = nn.Conv2d(6, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.any([self.ops[0](x), self.ops[1](x), x])
        return self.one([self.mix(self.two([x, y, x + y])), y])


class Lists(nn.Module):
    """Choices that give lists."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = LayerChoice([conv(3), conv(1)], reduction="none", label="layer")
        self.inputs = InputChoice(3, reduction="none", label="inputs")

    def forward(self, x: Tensor) -> Tensor:
        (y,) = self.layer(x)
        found = self.inputs([x, y, x * y])
        return sum(found) / len(found)


class Dense(nn.Module):
    """Each node takes any of the earlier ones; a node that none takes does not exist."""

    def __init__(self) -> None:
        super().__init__()
        ops = (LayerChoice([conv(3), nn.Tanh()], label=f"op_{i}") for i in range(3))
        self.ops = nn.ModuleList(ops)
        self.second = InputChoice(choose_from=["op_0", "x"], label="second")
        self.last = InputChoice(choose_from=["op_1", "op_2", "second"], label="last")

    def forward(self, x: Tensor) -> Tensor:
        second = self.second([self.ops[0](x), x])
        return self.last([self.ops[1](x), self.ops[2](x), second])


NETWORKS = (Rows, Nested, Shared, Inputs, Lists, Dense)


def trained(make: type[nn.Module], seed: int = 0) -> nn.Module:
    """A network in float64 and evaluation mode whose BatchNorm statistics are no longer 0 and 1."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = make().double().eval()
        for norm in _norms(network):
            for values in (norm.running_mean, norm.running_var, norm.weight.detach(), norm.bias.detach()):
                assert values is not None
                values.uniform_(0.5, 1.5)
    return network


def _norms(network: nn.Module) -> Iterator[_BatchNorm]:
    return (module for module in network.modules() if isinstance(module, _BatchNorm))
