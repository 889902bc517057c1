from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nascli.errors import UsageError
from nascli.search_space.linking import check_links
from nascli.search_space.recording import record
from nascli.supernet.mutables import InputChoice, LayerChoice, Repeat

from .networks import SHAPE, Net, conv, kernels, of
from .small_networks import Linked


class Two(Net):
    """One of a choice's output and the input."""

    def build(self) -> None:
        self.a, self.norm = kernels("a"), nn.BatchNorm2d(4)
        self.take = InputChoice(choose_from=["a", "stem"], n_chosen=1, label="take")


def refused(network: nn.Module) -> UsageError:
    with pytest.raises(UsageError) as caught:
        check_links(record(network, SHAPE))
    return caught.value


def test_choices_that_are_used_by_those_that_name_them_are_fine() -> None:
    check_links(record(Linked(), SHAPE))


def test_an_output_that_is_changed_on_the_way_is_refused() -> None:
    class Changed(Two):
        def body(self, x: Tensor) -> Tensor:
            return self.take([self.norm(self.a(x)), x])

    error = refused(Changed())
    assert error.what == "the output of choice 'a' is used outside of the input choices that name it"
    assert "NoneType" in error.why
    assert "n_candidates" in error.hint


def test_an_output_that_is_also_used_elsewhere_is_refused() -> None:
    class Elsewhere(Two):
        def body(self, x: Tensor) -> Tensor:
            a = self.a(x)
            return self.take([a, x]) + a

    assert "'a' is used outside" in refused(Elsewhere()).what


def test_the_choice_that_is_used_elsewhere_is_the_one_that_is_named() -> None:
    class Several(Net):
        def build(self) -> None:
            self.a, self.b = kernels("a"), Repeat(lambda i: conv(), (1, 2), label="b")
            self.take = InputChoice(choose_from=["a", "b"], n_chosen=1, label="take")

        def body(self, x: Tensor) -> Tensor:
            a, b = self.a(x), self.b(x)
            return self.take([a, b]) + b

    assert "'b' is used outside" in refused(Several()).what


def test_tensors_in_another_order_than_their_names_are_refused() -> None:
    class Turned(Two):
        def body(self, x: Tensor) -> Tensor:
            return self.take([x, self.a(x)])

    error = refused(Turned())
    assert error.what.startswith("tensor 1 of input choice 'take' is called 'stem', but it is the output of another")


def test_a_forward_that_does_without_the_output_is_fine() -> None:
    class Careful(Two):
        def body(self, x: Tensor) -> Tensor:
            a = self.a(x)
            return self.take([a, x]) + (0 if a is None else 0 * self.norm(a))

    check_links(record(Careful(), SHAPE))


def test_an_output_that_a_candidate_gives_on_is_refused() -> None:
    class Inside(Net):
        """The label stands a second time, where the output of the candidate is that of the choice."""

        def build(self) -> None:
            self.a = kernels("a")
            self.take = InputChoice(choose_from=["a", "stem"], n_chosen=1, label="take")
            self.outer = LayerChoice([nn.Identity(), kernels("a")], label="outer")

        def body(self, x: Tensor) -> Tensor:
            return self.outer(self.take([self.a(x), x]))

    assert refused(Inside()).why.endswith("the result is another one")


def test_links_inside_of_candidates_are_checked() -> None:
    class Branch(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.take = kernels("a"), InputChoice(choose_from=["a", "x"], label="take")

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.take([torch.relu(self.a(x)), x])
            return out

    class Outer(Net):
        def build(self) -> None:
            self.outer = LayerChoice([nn.Identity(), Branch()])

        def body(self, x: Tensor) -> Tensor:
            return self.outer(x)

    assert "'a' is used outside" in refused(Outer()).what


def test_a_space_with_a_wrong_link_is_refused_when_it_is_described() -> None:
    class Wrong(Two):
        def body(self, x: Tensor) -> Any:
            return self.take([self.norm(self.a(x)), x])

    with pytest.raises(UsageError, match="used outside"):
        _ = of(Wrong).space
