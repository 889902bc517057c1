from __future__ import annotations

import pytest
from torch import Tensor, nn

from nascli.errors import UsageError
from nascli.search_space.module_space import wrap
from nascli.supernet.mutables import LayerChoice

from .networks import CLASSES, SHAPE, kernels, of
from .small_networks import Plain


class Broken(Plain):
    """Fails while it is built."""

    def build(self) -> None:
        raise KeyError("width")


class Peeking(Plain):
    """Looks into a choice."""

    def body(self, x: Tensor) -> Tensor:
        return self.second(x) * self.first.length + self.first(x)


def test_a_network_that_cannot_be_built_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^Broken cannot be built\nKeyError: 'width'$"):
        _ = of(Broken).space


def test_a_function_that_makes_no_network_is_refused() -> None:
    def table(rows: int = 3) -> list[int]:
        return [0] * rows

    with pytest.raises(UsageError, match=r"table gives a list, not an nn.Module"):
        _ = of(table).space


def test_another_number_of_outputs_than_classes_is_refused() -> None:
    with pytest.raises(UsageError, match="Plain has 3 outputs for 7 classes"):
        _ = wrap(Plain)(wrap(Plain).Config(input_shape=SHAPE, classes=7)).space


def test_a_forward_that_looks_into_a_choice_is_refused() -> None:
    with pytest.raises(UsageError, match="Peeking fails without its choices") as caught:
        _ = of(Peeking).space
    assert "AttributeError" in caught.value.why
    assert "not look into them" in caught.value.hint


def test_a_network_that_is_another_one_each_time_is_refused() -> None:
    widths = iter(range(4, 100))

    def net() -> nn.Module:
        width = next(widths)
        head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, CLASSES)
        return nn.Sequential(nn.Conv2d(SHAPE[0], width, 1), kernels("k", width, width), *head)

    with pytest.raises(UsageError, match="net is another network each time that it is made"):
        _ = of(net).space


def test_lazy_modules_are_refused() -> None:
    def net() -> nn.Module:
        return nn.Sequential(LayerChoice([nn.Identity(), nn.ReLU()]), nn.Flatten(), nn.LazyLinear(CLASSES))

    with pytest.raises(UsageError, match="net has lazy modules"):
        _ = of(net).space
