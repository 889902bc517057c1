"""The network behind the predictor `mlp`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nascli.engine import Engine
from nascli.search_strategy.predictor import Values

WIDTH, STEPS, LEARNING_RATE, WEIGHT_DECAY = 64, 150, 1e-2, 1e-2


class Mlp:
    """Two hidden layers, trained on all rows at once; on the CPU, a function of seed and rows."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def fit(self, features: Values, targets: Values) -> None:
        """See `Predictor`."""
        with Engine("cpu").seeded(self._seed):
            self._network = nn.Sequential(
                nn.Linear(features.shape[1], WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1)
            )
        inputs, wanted = _tensor(features), _tensor(targets)
        optimizer = torch.optim.AdamW(self._network.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        with torch.enable_grad():
            for _ in range(STEPS):
                optimizer.zero_grad()
                nn.functional.mse_loss(self._network(inputs)[:, 0], wanted).backward()
                optimizer.step()

    def predict(self, features: Values) -> Values:
        """See `Predictor`."""
        with torch.no_grad():
            predicted: Values = self._network(_tensor(features))[:, 0].double().numpy()
        return predicted


def _tensor(values: Values) -> Tensor:
    return torch.from_numpy(values).float()
