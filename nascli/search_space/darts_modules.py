"""The network of DARTS."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from nascli.search_space.nasbench201_modules import relu_conv_bn
from nascli.supernet.mutables import InputChoice, LayerChoice

NODES = range(2, 6)
INPUTS = 2  # that a node takes
STEM = 3  # times the channels of the first cells


class FactorizedReduce(nn.Module):
    """Halves the map by two 1×1 convolutions, one of them shifted by a pixel."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        half = out_channels // 2
        self.relu = nn.ReLU()
        self.even = nn.Conv2d(in_channels, half, 1, 2, bias=False)
        self.odd = nn.Conv2d(in_channels, out_channels - half, 1, 2, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, out_channels, ceil(H / 2), ceil(W / 2))."""
        x = self.relu(x)
        shifted = pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        output: Tensor = self.norm(torch.cat([self.even(x), self.odd(shifted)], dim=1))
        return output


def factorized(channels: int, kernel: int, stride: int, dilation: int = 1) -> nn.Sequential:
    """ReLU, depthwise convolution, 1×1 convolution, BatchNorm."""
    padding = dilation * (kernel // 2)
    depthwise = nn.Conv2d(channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False)
    pointwise = nn.Conv2d(channels, channels, 1, bias=False)
    return nn.Sequential(nn.ReLU(), depthwise, pointwise, nn.BatchNorm2d(channels))


def operations(channels: int, stride: int) -> dict[str, nn.Module]:
    """The seven operations, in the order of the paper's code; "none" is left out, as in its results."""
    return {
        "max_pool_3x3": nn.Sequential(nn.MaxPool2d(3, stride, padding=1), nn.BatchNorm2d(channels)),
        "avg_pool_3x3": nn.Sequential(
            nn.AvgPool2d(3, stride, padding=1, count_include_pad=False), nn.BatchNorm2d(channels)
        ),
        "skip_connect": nn.Identity() if stride == 1 else FactorizedReduce(channels, channels),
        **{
            f"sep_conv_{k}x{k}": nn.Sequential(factorized(channels, k, stride), factorized(channels, k, 1))
            for k in (3, 5)
        },
        **{f"dil_conv_{k}x{k}": factorized(channels, k, stride, dilation=2) for k in (3, 5)},
    }


class Cell(nn.Module):
    """Two inputs and four nodes; each node takes two of those before it, and the output is all four nodes."""

    def __init__(self, kind: str, before: tuple[int, int], channels: int, *, halves: bool, halved: bool) -> None:
        super().__init__()
        self.kind = kind
        first = FactorizedReduce(before[0], channels) if halved else relu_conv_bn(before[0], channels, 1)
        self.inputs = nn.ModuleList([first, relu_conv_bn(before[1], channels, 1)])
        edges = {
            self._edge(node, source): LayerChoice(
                operations(channels, 2 if halves and source < INPUTS else 1), label=self._edge(node, source)
            )
            for node in NODES
            for source in range(node)
        }
        self.edges = nn.ModuleDict(edges)
        self.nodes = nn.ModuleDict({str(node): self._node(node) for node in NODES})

    def _edge(self, node: int, source: int) -> str:
        return f"{self.kind}_{node}_{source}"

    def _node(self, node: int) -> InputChoice:
        edges = [self._edge(node, source) for source in range(node)]
        return InputChoice(choose_from=edges, n_chosen=INPUTS, label=f"{self.kind}_{node}")

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        """The outputs of the last two cells → (N, 4 · channels, H, W)."""
        nodes = [self.inputs[0](before), self.inputs[1](last)]
        for node in NODES:
            edges = [self.edges[self._edge(node, source)](nodes[source]) for source in range(node)]
            nodes.append(self.nodes[str(node)](edges))
        return torch.cat(nodes[INPUTS:], dim=1)


class Network(nn.Module):
    """Stem, normal and reduction cells, classifier."""

    def __init__(self, in_channels: int, classes: int, channels: int, cells: int) -> None:
        super().__init__()
        width = STEM * channels
        self.stem = nn.Sequential(nn.Conv2d(in_channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
        before, halved = (width, width), False
        self.cells = nn.ModuleList()
        for i in range(cells):
            halves = i in (cells // 3, 2 * cells // 3)
            channels *= 2 if halves else 1
            kind = "reduce" if halves else "normal"
            self.cells.append(Cell(kind, before, channels, halves=halves, halved=halved))
            before, halved = (before[1], len(NODES) * channels), halves
        self.classifier = nn.Linear(before[1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, classes)."""
        before = last = self.stem(x)
        for cell in self.cells:
            before, last = last, cell(before, last)
        output: Tensor = self.classifier(last.mean((2, 3)))
        return output
