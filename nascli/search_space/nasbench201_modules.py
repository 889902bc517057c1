"""The network of NAS-Bench-201."""

from __future__ import annotations

from torch import Tensor, nn

from nascli.search_space.blocks.pooling import Zero
from nascli.supernet.mutables import LayerChoice

NODES = 4


def relu_conv_bn(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """ReLU, convolution, BatchNorm."""
    conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(out_channels))


def edge(label: str, channels: int) -> LayerChoice:
    """The five operations between two nodes, in the order of the benchmark."""
    operations = {
        "none": Zero(channels, 1),
        "skip_connect": nn.Identity(),
        "nor_conv_1x1": relu_conv_bn(channels, channels, 1),
        "nor_conv_3x3": relu_conv_bn(channels, channels, 3),
        "avg_pool_3x3": nn.AvgPool2d(3, 1, padding=1, count_include_pad=False),
    }
    return LayerChoice(operations, label=label)


class Cell(nn.Module):
    """Four nodes; each sums the edges from all earlier ones."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        names = [f"edge_{node}_{source}" for node in range(1, NODES) for source in range(node)]
        self.edges = nn.ModuleDict({name: edge(name, channels) for name in names})

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, H, W)."""
        nodes = [x]
        for node in range(1, NODES):
            total = self.edges[f"edge_{node}_0"](nodes[0])
            for source in range(1, node):
                total = total + self.edges[f"edge_{node}_{source}"](nodes[source])
            nodes.append(total)
        return nodes[-1]


class Reduction(nn.Module):
    """The residual block between stages: halves the map."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        first = relu_conv_bn(in_channels, out_channels, 3, stride=2)
        self.body = nn.Sequential(first, relu_conv_bn(out_channels, out_channels, 3))
        pool = nn.AvgPool2d(2, 2, ceil_mode=True)
        self.shortcut = nn.Sequential(pool, nn.Conv2d(in_channels, out_channels, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, out_channels, ceil(H / 2), ceil(W / 2))."""
        output: Tensor = self.shortcut(x) + self.body(x)
        return output


class Network(nn.Module):
    """Stem, three stages of equal cells with reductions between them, classifier."""

    def __init__(self, in_channels: int, classes: int, channels: int, cells: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(in_channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        stages: list[nn.Module] = []
        for stage in range(3):
            width = channels * 2**stage
            stages += [Reduction(width // 2, width)] if stage else []
            stages += [Cell(width) for _ in range(cells)]
        self.stages = nn.Sequential(*stages)
        self.last = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, classes)."""
        output: Tensor = self.classifier(self.last(self.stages(self.stem(x))))
        return output
