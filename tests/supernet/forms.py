"""Running the forms of `mixtures.py` on the cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from nascli.space import Decision, Forward, Space
from nascli.supernet.base import Supernet
from nascli.supernet.mixtures import MIXTURES, SAMPLED, gumbel
from tests.training_strategy.helpers import CELL, cell, images

DOUBLE = torch.float64
LABELS = [d.label for d in CELL.decisions]
FORMS = {**MIXTURES, **SAMPLED}
DATA = images(DOUBLE)
SUBSETS = Space("subsets", (Decision("pick", ("a", "b", "c"), n_chosen=None),), (3, 8, 8), 4)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def logits_of(space: Space, seed: int = 0) -> list[Tensor]:
    drawn = torch.randn(sum(space.sizes), generator=generator(seed), dtype=DOUBLE)
    return [part.clone().requires_grad_() for part in drawn.split(space.sizes)]


def run(form: str, space: Space, logits: Sequence[Tensor], seed: int = 0, temperature: float = 1.0) -> Forward:
    return FORMS[form](space, logits, gumbel(logits, generator(seed)), temperature)


@cache
def network() -> Supernet:
    return cell(DOUBLE)


def jacobian(weights: Tensor, logits: Tensor) -> Tensor:
    return torch.stack([torch.autograd.grad(w, logits, retain_graph=True)[0] for w in weights])


class Calls:
    """How often each candidate of the cell runs in one forward."""

    def __init__(self, forward: Forward) -> None:
        self.count: Counter[str] = Counter()
        net: Any = network().network
        candidates = {f"op.{key}": net.op[key] for key in net.op.names}
        candidates |= {f"inner.{key}": net.op.branch[1][key] for key in net.op.branch[1].names}
        candidates |= {f"depth.{i}": block for i, block in enumerate(net.depth.blocks)}
        handles = [module.register_forward_hook(self.hook(name)) for name, module in candidates.items()]
        network()(DATA.images[:2], forward)
        for handle in handles:
            handle.remove()

    def hook(self, name: str) -> Any:
        def count(*_: Any) -> None:
            self.count[name] += 1

        return count

    def of(self, label: str) -> int:
        return sum(n for name, n in self.count.items() if name.startswith(f"{label}."))
