"""A trainer as in NNI's guide, and what it trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nascli.engine import Engine
from nascli.supernet.mutables import LayerChoice
from nascli.training_agent.one_shot import OneShotTrainer, replace_layer_choice

CPU = Engine("cpu")


class DartsLayerChoice(nn.Module):
    """As in NNI's guide."""

    def __init__(self, layer_choice):
        super().__init__()
        self.name = layer_choice.label
        self.op_choices = nn.ModuleDict(layer_choice.named_children())
        self.alpha = nn.Parameter(torch.randn(len(self.op_choices)) * 1e-3)

    def forward(self, *args, **kwargs):
        op_results = torch.stack([op(*args, **kwargs) for op in self.op_choices.values()])
        alpha_shape = [-1] + [1] * (len(op_results.size()) - 1)
        return torch.sum(op_results * F.softmax(self.alpha, -1).view(*alpha_shape), 0)


def layers(*sizes: int, label: str | None = None) -> LayerChoice:
    return LayerChoice({f"l{i}": nn.Linear(*sizes) for i in range(2)}, label=label)


def net() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(layers(3, 4, label="a"), nn.Dropout(0.2), nn.BatchNorm1d(4), layers(4, 2, label="b"))


def data(n: int = 3) -> list[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    images = [torch.rand(8, 3, generator=generator) for _ in range(n)]
    return [(x, (x[:, 0] > x[:, 1]).long()) for x in images]


class DartsTrainer(OneShotTrainer):
    """Weights and alphas on the same batches; keeps a checkpoint where it is told to."""

    def __init__(self, epochs: int = 4, *, engine: Engine = CPU, kept: Path | None = None, **options: Any) -> None:
        super().__init__(net(), epochs, data(), engine, **options)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.nas_modules = replace_layer_choice(self.model, DartsLayerChoice, [])
        alphas = [module.get_parameter("alpha") for _, module in self.nas_modules]
        weights = [p for name, p in self.model.named_parameters() if not name.endswith("alpha")]
        self.optimizers["weights"] = torch.optim.SGD(weights, 0.1, 0.9)
        self.optimizers["alphas"] = torch.optim.Adam(alphas, 0.05)
        self.kept, self.ended = kept, list[int]()

    def training_step(self, batch: Any) -> dict[str, Any]:
        x, y = batch
        self.update("alphas", lambda: F.cross_entropy(self.model(x), y))
        return {"loss": self.update("weights", lambda: F.cross_entropy(self.model(x), y)), "one": 1}

    def on_epoch_end(self, epoch: int) -> None:
        self.ended.append(epoch)
        if self.kept is not None:
            self.save(self.kept)

    def export(self) -> dict[str, str]:
        return {name: list(m.op_choices)[int(m.alpha.argmax())] for name, m in self.nas_modules}  # type: ignore
