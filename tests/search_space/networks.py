"""What small networks with choices are made of, and what can be tried on one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from nascli.search_space.module_space import ModuleSpace, wrap
from nascli.space import Archs
from nascli.supernet.mutables import LayerChoice
from tests.cost.helpers import everything

SHAPE, CLASSES = (2, 6, 5), 3


def of(made_by: Callable[..., Any], **options: Any) -> ModuleSpace:
    """The space of a network class or function, for small images."""
    cls = wrap(made_by)
    return cls(cls.Config(input_shape=SHAPE, classes=CLASSES, **options))


def conv(in_channels: int = 4, out_channels: int = 4, kernel: int = 1, stride: int = 1) -> nn.Module:
    layer = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(out_channels))


def kernels(label: str | None = None, in_channels: int = 4, out_channels: int = 4) -> LayerChoice:
    """Two candidates of different cost."""
    candidates = {f"k{kernel}": conv(in_channels, out_channels, kernel) for kernel in (1, 3)}
    return LayerChoice(candidates, label=label)


class Net(nn.Module):
    """Stem, a searched body (4 channels in and out), head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv(SHAPE[0], 4)
        self.build()
        self.head = nn.Linear(4, CLASSES)

    def build(self) -> None:
        raise NotImplementedError

    def body(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.body(self.stem(x)).mean((2, 3)))
        return out


def all_of(space: ModuleSpace) -> Archs:
    """All canonical architectures."""
    return everything(space.space)


def structure(model: nn.Module, inherited: Mapping[str, Tensor]) -> tuple[Any, ...]:
    """What tells one decoded network from another: its modules, and which weights of the supernet they hold."""
    return repr(model), tuple((name, tensor.data_ptr()) for name, tensor in inherited.items())
