"""Networks that are refused before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from torch import Tensor, nn

from nascli.errors import UsageError
from nascli.search_space.recording import record
from nascli.supernet.mutables import InputChoice, LayerChoice, Repeat

from .networks import SHAPE, Net, conv, kernels
from .test_recording import Wide


def net(build: Callable[[Any], None], body: Callable[[Any, Tensor], Tensor]) -> nn.Module:
    """A network with these parts."""
    return type("Mine", (Net,), {"build": build, "body": body})()


def choice(*candidates: nn.Module, label: str = "layer") -> nn.Module:
    """A network with one choice."""

    def build(self: Any) -> None:
        self.layer = LayerChoice(candidates, label=label)

    return net(build, lambda self, x: self.layer(x))


def refused(network: nn.Module) -> UsageError:
    with pytest.raises(UsageError) as caught:
        record(network, SHAPE)
    assert caught.value.exit_code == 2
    return caught.value


def test_candidates_with_different_shapes_are_refused() -> None:
    error = refused(choice(conv(), conv(4, 6), conv(stride=2)))
    shapes = "0 (4, 6, 5), 1 (6, 6, 5), 2 (4, 3, 3)"
    assert error.what == f"the candidates of 'layer' give different shapes: {shapes}"


def test_candidates_one_of_which_gives_a_tuple_are_refused() -> None:
    class Pair(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x, x

    assert "'layer' give different shapes: 0 (4, 6, 5), 1 " in refused(choice(nn.Identity(), Pair())).what


def test_depths_with_different_shapes_are_refused() -> None:
    def build(self: Any) -> None:
        self.blocks = Repeat([conv(), conv(4, 6)], (1, 2), label="depth")

    error = refused(net(build, lambda self, x: self.blocks(x)))
    assert error.what == "the candidates of 'depth' give different shapes: 1 (4, 6, 5), 2 (6, 6, 5)"


def test_tensors_of_different_shapes_have_no_sum() -> None:
    def build(self: Any) -> None:
        self.take = InputChoice(choose_from=["large", "small"], n_chosen=1, label="take")

    error = refused(net(build, lambda self, x: self.take([x, x[:, :, 1:]])))
    assert error.what == "the candidates of 'take' give different shapes: large (4, 6, 5), small (4, 5, 5)"


def test_a_candidate_that_fails_is_named_with_its_input() -> None:
    error = refused(choice(nn.Identity(), conv(8, 4)))
    assert error.what == "candidate '1' of 'layer' fails on input (4, 6, 5)"
    assert "expected input" in error.why
    assert "8 channels" in error.why


def test_a_nested_candidate_that_fails_is_named_itself() -> None:
    inner = LayerChoice({"good": nn.Identity(), "bad": conv(8, 4)}, label="inner")
    error = refused(choice(nn.Identity(), nn.Sequential(conv(4, 6), inner)))
    assert error.what == "candidate 'bad' of 'inner' fails on input (6, 6, 5)"


def test_a_block_of_a_depth_that_fails_is_named_with_its_position() -> None:
    def build(self: Any) -> None:
        self.blocks = Repeat([conv(), conv(8, 4)], (0, 2), label="depth")

    assert refused(net(build, lambda self, x: self.blocks(x))).what.startswith("candidate 'blocks.1' of 'depth' fails")


def test_a_network_that_fails_is_named_with_its_input() -> None:
    error = refused(net(lambda self: setattr(self, "layer", kernels()), lambda self, x: self.layer(x).view(7, 7)))
    assert error.what == "Mine fails on input (2, 6, 5)"
    assert error.why.startswith("RuntimeError: shape '[7, 7]' is invalid")


def test_a_network_that_fails_for_one_subset_alone_is_refused() -> None:
    class Fixed(Wide):
        def body(self, x: Tensor) -> Tensor:
            joined = self.width([x] * 3)
            return self.block(joined)[:, :4] + (joined[:, 11:] if joined.shape[1] == 8 else 0)

    assert "size of tensor" in refused(Fixed()).why


def test_a_choice_that_is_never_called_is_refused() -> None:
    def build(self: Any) -> None:
        self.used, self.unused = kernels("used"), kernels("unused")

    error = refused(net(build, lambda self, x: self.used(x)))
    assert error.what == "choice 'unused' is never called by the network's forward"


def test_one_of_two_equal_labels_that_is_never_called_is_refused() -> None:
    def build(self: Any) -> None:
        self.used, self.unused = kernels("kernel"), kernels("kernel")

    assert "'kernel' is never called" in refused(net(build, lambda self, x: self.used(x))).what


def test_another_number_of_tensors_is_refused() -> None:
    def build(self: Any) -> None:
        self.take = InputChoice(3, label="take")

    assert "'take' has 3 candidates, found 2" in refused(net(build, lambda self, x: self.take([x, x]))).what


def test_a_network_without_choices_is_refused() -> None:
    assert "Conv2d has nothing to search" in refused(nn.Conv2d(2, 2, 1)).what


def test_a_label_with_two_sizes_is_refused() -> None:
    network = nn.Sequential(kernels("kernel"), LayerChoice([conv(), conv(), conv()], label="kernel"))
    assert "two choices are called 'kernel'" in refused(network).what


def test_a_choice_that_is_called_outside_of_its_candidate_is_refused() -> None:
    def build(self: Any) -> None:
        self.outer = LayerChoice([nn.Sequential(conv(), kernels("inner")), nn.Identity()], label="outer")

    error = refused(net(build, lambda self, x: self.outer.get_submodule("0.1")(self.outer(x))))
    assert error.what == "choice 'inner' stands inside 'outer' [0], but is called outside of other choices"


def test_a_choice_that_is_called_in_a_candidate_where_it_does_not_stand_is_refused() -> None:
    class Borrowing(nn.Module):
        def __init__(self, other: nn.Module) -> None:
            super().__init__()
            self.others = [other]

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.others[0](x)
            return out

    def build(self: Any) -> None:
        self.kernel = kernels("kernel")
        self.outer = LayerChoice([Borrowing(self.kernel), nn.Identity()], label="outer")

    error = refused(net(build, lambda self, x: self.outer(self.kernel(x))))
    assert error.what == "choice 'kernel' stands outside of other choices, but is called inside 'outer' [0]"


def test_a_choice_in_a_plain_list_is_refused() -> None:
    def build(self: Any) -> None:
        self.first, self.hidden = kernels("first"), [kernels("hidden")]

    error = refused(net(build, lambda self, x: self.hidden[0](self.first(x))))
    assert error.what == "choice 'hidden' is called, but it is no part of the network"
    assert "ModuleList" in error.hint
