"""An ordinary network with choices in it: a search space by itself."""

from __future__ import annotations

from torch import Tensor, nn

from nascli.supernet.mutables import InputChoice, LayerChoice


def conv(channels: int, kernel: int) -> nn.Module:
    """Convolution, BatchNorm, ReLU; keeps the shape."""
    layers = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(channels)
    return nn.Sequential(*layers, nn.ReLU())


class MyModel(nn.Module):
    """Two searched layers, and a searched connection from the first one to the end."""

    def __init__(self, width: int = 16, input_shape: tuple[int, int, int] = (1, 8, 8), classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Conv2d(input_shape[0], width, 3, padding=1)
        self.first = LayerChoice({f"conv{k}": conv(width, k) for k in (1, 3, 5)}, label="first")
        self.second = LayerChoice({f"conv{k}": conv(width, k) for k in (1, 3, 5)}, label="second")
        self.join = InputChoice(n_candidates=2, n_chosen=None, reduction="mean", label="join")
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, classes)."""
        first = self.first(self.stem(x))
        joined = self.join([first, self.second(first)])
        output: Tensor = self.classifier(joined.mean((2, 3)))
        return output
