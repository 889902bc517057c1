from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from nascli.component import Reference, resolve
from nascli.config import Origin
from nascli.errors import ComponentError, ConfigError
from nascli.search_space.module_space import wrap
from nascli.search_space.network_options import options_of

FILE = """
from __future__ import annotations
from collections.abc import Sequence
from typing import Literal
import torch
from torch import nn
from nascli.supernet.mutables import LayerChoice


class Net(nn.Module):
    def __init__(
        self,
        width: int,
        classes: int,
        *,
        kernels: list[int] = [1, 3],
        strides: Sequence[int] = (1,),
        dropout: float = 0,
        norm: Literal["batch", "none"] = "none",
        depth: int | None = None,
        free="anything",
        activation=nn.ReLU,
        **more: object,
    ) -> None:
        super().__init__()
        layers = [nn.Conv2d(3, width, k, strides[0], k // 2) for k in kernels]
        self.choice, self.head = LayerChoice(layers), nn.Linear(width, classes)
        self.act, self.drop = activation(), nn.Dropout(dropout)
        self.given = width, kernels, strides, dropout, norm, depth, free, more
        kernels.clear()

    def forward(self, x):
        return self.head(self.drop(self.act(self.choice(x))).mean((2, 3)))
"""


@pytest.fixture
def use(tmp_path: Path) -> Callable[..., Reference]:
    (tmp_path / "net.py").write_text(FILE)
    return lambda **options: resolve("search_space", {"use": "./net.py:Net", **options}, Origin(base=tmp_path))


def test_arguments_are_options_with_their_types_and_defaults(use: Callable[..., Reference]) -> None:
    given = use(width=4).build().network().given
    assert given == (4, [], (1,), 0, "none", None, "anything", {})


def test_options_reach_the_network(use: Callable[..., Reference]) -> None:
    options = {"kernels": [5, 7, 9], "strides": [2], "dropout": 0.5, "norm": "batch", "depth": 3, "free": [1, "a"]}
    space = use(width=6, classes=4, **options).build()
    assert space.network().given[2:] == ((2,), 0.5, "batch", 3, (1, "a"), {})
    assert space.space.sizes == (3,)
    assert space.network().head.out_features == 4


def test_a_network_that_changes_its_arguments_does_not_change_the_options(use: Callable[..., Reference]) -> None:
    space = use(width=4).build()
    assert [len(space.network().choice) for _ in range(2)] == [2, 2]
    assert space.config.kernels == [1, 3]


def test_an_argument_without_default_must_be_given(use: Callable[..., Reference]) -> None:
    with pytest.raises(ConfigError, match="'width' is missing"):
        use()


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("width", "wide", "valid integer"),
        ("width", 2.5, "valid integer"),
        ("kernels", [1, "a"], "valid integer"),
        ("kernels", 3, "valid list"),
        ("norm", "layer", "'batch' or 'none'"),
        ("dropout", "a lot", "valid number"),
        ("classes", 0, "greater than or equal to 1"),
    ],
)
def test_an_option_of_a_wrong_type_is_refused(
    option: str, value: object, words: str, use: Callable[..., Reference]
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        use(**{"width": 4, option: value})
    assert option in caught.value.what


def test_an_unknown_option_is_refused(use: Callable[..., Reference]) -> None:
    with pytest.raises(ConfigError, match="unknown key 'widht'; did you mean 'width'"):
        use(widht=3)


def test_a_default_that_no_configuration_can_hold_is_no_option(use: Callable[..., Reference]) -> None:
    with pytest.raises(ConfigError, match="unknown key 'activation'"):
        use(width=4, activation="relu")


def positional(width: int, /) -> nn.Module:
    return nn.Identity()


def several(*layers: int) -> nn.Module:
    return nn.Identity()


def private(_width: int = 3) -> nn.Module:
    return nn.Identity()


def component(use: str = "tiny") -> nn.Module:
    return nn.Identity()


def shadowing(copy: int = 1) -> nn.Module:
    return nn.Identity()


@pytest.mark.parametrize(
    ("made_by", "name", "words"),
    [
        (positional, "width", "cannot be given by name"),
        (several, "layers", "cannot be given by name"),
        (private, "_width", "cannot be an option"),
        (component, "use", "cannot be an option"),
        (shadowing, "copy", "cannot be an option"),
    ],
)
def test_arguments_that_no_option_can_fill_are_refused(made_by: Callable[..., Any], name: str, words: str) -> None:
    with pytest.raises(ComponentError, match=f"argument '{name}' of {made_by.__name__} {words}"):
        wrap(made_by)


def test_an_argument_that_needs_an_object_is_refused() -> None:
    def net(activation: nn.Module) -> nn.Module:
        return activation

    with pytest.raises(ComponentError, match="argument 'activation' of net cannot be an option") as caught:
        options_of(net, ())
    assert "Module" in caught.value.why


def test_types_that_cannot_be_read_are_refused() -> None:
    def net(width: Unknown = 3) -> nn.Module:  # type: ignore[name-defined]  # noqa: F821
        return nn.Identity()

    with pytest.raises(ComponentError, match="the types of the arguments of net cannot be read") as caught:
        options_of(net, ())
    assert "Unknown" in caught.value.why


def test_arguments_that_come_from_elsewhere_are_no_options() -> None:
    def net(classes: int, width: int = 3) -> nn.Module:
        return nn.Identity()

    assert list(options_of(net, ("classes",))) == ["width"]
