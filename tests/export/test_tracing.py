from __future__ import annotations

import pytest
import torch
from torch import Tensor, fx, nn

from nascli.export.tracing import Untraceable, traced

X = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))


class Splits(nn.Module):
    """A loop over parts whose number only a run tells, twice, and questions about shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(2, 2, k, padding=k // 2) for k in (1, 3))
        self.scale = nn.Parameter(torch.tensor([2.0]))

    def forward(self, x: Tensor, extra: Tensor | None = None) -> Tensor:
        if x.shape[2] > 100 or x.dim() != 4:
            raise ValueError(x.shape)
        if extra is not None:
            x = x + extra
        for _ in range(2):
            x = torch.cat([conv(part) for conv, part in zip(self.convs, x.split(2, 1), strict=True)], 1)
        n, c, h, w = x.shape
        return self.scale * x.reshape(n, c, h * w).mean(2)


def test_loops_over_parts_and_questions_about_shapes_are_answered() -> None:
    found = traced(Splits(), X)
    assert [text for _, text in found.modules.values()] == ["nn.Conv2d(2, 2, 1)", "nn.Conv2d(2, 2, 3, padding=1)"]
    assert found.tensors["scale"].tolist() == [2.0]
    assert found.forward.count("self.convs_0(") == 2
    assert "network" not in found.forward


def test_what_is_traced_is_left_as_it_was() -> None:
    network = Splits()
    names = list(network.state_dict())
    traced(network, X)
    assert list(network.state_dict()) == names
    assert network.training


class Named(nn.Module):
    """Names that collide when dots are gone, and names that a module or Python has taken."""

    def __init__(self) -> None:
        super().__init__()
        self.a_0 = nn.ReLU()
        self.a = nn.ModuleList([nn.Sigmoid()])
        self.parts = nn.ModuleDict({"if": nn.Tanh(), "3-way": nn.Hardswish(), "train_": nn.Identity()})

    def forward(self, x: Tensor) -> Tensor:
        x = self.a[0](self.a_0(x))
        for part in self.parts.values():
            x = part(x)
        return x + torch.ones(1)


def test_attributes_are_names_that_never_collide() -> None:
    found = traced(Named(), X)
    assert len(found.modules) == 5
    names = [*found.modules, *found.tensors]
    assert all(name.isidentifier() and name not in dir(nn.Module()) for name in names)
    assert next(iter(found.tensors.values())).tolist() == [1.0]


class OnValues(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def helper(x: Tensor) -> Tensor:
    return x * 2


fx.wrap("helper")


class OthersCode(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return helper(x)


@pytest.mark.parametrize("network", [OnValues(), OthersCode()], ids=["values", "code of others"])
def test_what_cannot_be_written_down_is_said(network: nn.Module) -> None:
    with pytest.raises(Untraceable):
        traced(network, X)
