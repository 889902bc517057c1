from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nascli.errors import UsageError
from nascli.space import Decision, Selection
from nascli.supernet.mutables import InputChoice, LayerChoice, Repeat

from .helpers import FACTORS, Scaled, X, layer, run

TWO = {"conv": nn.Identity(), "skip": nn.Tanh()}


class Affine(nn.Module):
    """x · scale + shift, the shift by keyword alone."""

    def forward(self, x: Tensor, scale: float, *, shift: float = 0.0) -> Tensor:
        return x * scale + shift


def units(choice: Any) -> list[tuple[str, nn.Module, tuple[int, ...]]]:
    return [(unit.name, unit.module, unit.indices) for unit in choice.units()]


# --- layer choices ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("candidates", [TWO, OrderedDict(TWO), nn.ModuleDict(TWO)])
def test_candidates_with_names_are_children_of_these_names(candidates: Any) -> None:
    choice = LayerChoice(candidates)
    assert dict(choice.named_children()) == TWO
    assert choice.names == ("conv", "skip")


@pytest.mark.parametrize("wrap", [list, tuple, iter, nn.ModuleList])
def test_candidates_in_a_list_are_named_by_their_numbers(wrap: Any) -> None:
    choice = LayerChoice(wrap([nn.Identity(), nn.Tanh(), nn.ReLU()]))
    assert choice.names == ("0", "1", "2")
    assert isinstance(choice[2], nn.ReLU)


def test_candidates_are_found_by_number_and_by_name() -> None:
    choice = LayerChoice(TWO)
    assert (choice[0], choice[-1], choice["skip"]) == (TWO["conv"], TWO["skip"], TWO["skip"])
    assert (len(choice), choice.length, list(choice)) == (2, 2, list(TWO.values()))


@pytest.mark.parametrize(("wrong", "error"), [(2, IndexError), ("gone", KeyError), ("names", KeyError)])
def test_a_candidate_that_is_not_there_is_not_found(wrong: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        LayerChoice(TWO)[wrong]


def test_one_module_under_two_names_is_two_candidates() -> None:
    shared = Scaled(2.0)
    choice = LayerChoice({"a": shared, "b": shared})
    assert len(choice) == 2
    assert units(choice) == [("a", shared, (0,)), ("b", shared, (1,))]


def test_all_arguments_go_to_the_candidate_that_runs() -> None:
    choice = LayerChoice([nn.Identity(), Affine()])
    assert torch.equal(run(choice, Selection((1,)), X, 3.0, shift=1.0), X * 3 + 1)
    assert torch.equal(run(choice, Selection((1,)), X, scale=2.0), X * 2)


@pytest.mark.parametrize("name", ["a.b", "", "forward", "names", "label", "key", "chooser", "decision", "training", 3])
def test_a_candidate_cannot_have_a_name_that_no_child_can_have(name: Any) -> None:
    with pytest.raises(UsageError, match=f"layer choice 'op': no candidate can be called '{name}'"):
        LayerChoice({"fine": nn.Identity(), name: nn.Identity()}, label="op")


@pytest.mark.parametrize("candidates", [{}, [], nn.ModuleDict()])
def test_a_layer_choice_without_candidates_is_refused(candidates: Any) -> None:
    with pytest.raises(UsageError, match="layer choice 'LayerChoice' has no candidates"):
        LayerChoice(candidates)


def test_the_decision_of_a_layer_choice_is_one_of_its_candidates() -> None:
    choice = LayerChoice(TWO, label="op")
    assert choice.decision == Decision("op", ("conv", "skip"))
    assert units(choice) == [("conv", choice[0], (0,)), ("skip", choice[1], (1,))]


# --- labels and reductions -------------------------------------------------------------------------------------------

MAKERS = {
    "layer choice": lambda **o: LayerChoice(TWO, **o),
    "input choice": lambda **o: InputChoice(2, **o),
    "repeat": lambda **o: Repeat(lambda i: nn.Identity(), (1, 2), **o),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_label_and_key_are_one_name(kind: str) -> None:
    make = MAKERS[kind]
    named = [make(label="op"), make(key="op"), make(label="op", key="op")]
    assert {(choice.label, choice.key, choice.decision.label) for choice in named} == {("op", "op", "op")}
    assert (make().label, make().key) == (None, None)
    with pytest.raises(UsageError, match="a choice has one name, found label 'a' and key 'b'"):
        make(label="a", key="b")


@pytest.mark.parametrize("kind", ["layer choice", "input choice"])
def test_an_unknown_reduction_is_refused(kind: str) -> None:
    with pytest.raises(UsageError, match="choice 'op': reduction 'max' is none of sum, mean, concat, none"):
        MAKERS[kind](label="op", reduction="max")


# --- input choices ---------------------------------------------------------------------------------------------------


def test_inputs_are_counted_or_named() -> None:
    counted, named, both = InputChoice(3), InputChoice(choose_from=["a", "b"]), InputChoice(2, ["a", "b"])
    assert (counted.choose_from, counted.n_candidates) == (("0", "1", "2"), 3)
    assert (named.choose_from, named.n_candidates, both.choose_from) == (("a", "b"), 2, ("a", "b"))


@pytest.mark.parametrize("n_chosen", [1, 2, 3, None])
def test_the_decision_of_an_input_choice_is_a_subset_of_its_inputs(n_chosen: int | None) -> None:
    choice = InputChoice(choose_from=["a", "b", "c"], n_chosen=n_chosen, label="in")
    assert choice.decision == Decision("in", ("a", "b", "c"), n_chosen)
    assert choice.units() == ()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "input choice 'in' needs n_candidates or choose_from"),
        ({"n_candidates": 3, "choose_from": ["a"]}, "input choice 'in' has 3 candidates, 1 are named"),
        ({"n_candidates": 0}, "input choice 'in' takes None of 0 candidates"),
        ({"choose_from": []}, "input choice 'in' takes None of 0 candidates"),
        ({"n_candidates": -1}, "input choice 'in' takes None of 0 candidates"),
        ({"n_candidates": 3, "n_chosen": 4}, "input choice 'in' takes 4 of 3 candidates"),
        ({"n_candidates": 3, "n_chosen": 0}, "input choice 'in' takes 0 of 3 candidates"),
    ],
)
def test_an_input_choice_that_makes_no_sense_is_refused(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        InputChoice(**options, label="in")


@pytest.mark.parametrize("n", [0, 1, 3])
def test_another_number_of_tensors_than_candidates_is_refused(n: int) -> None:
    choice = InputChoice(2, label="in")
    with pytest.raises(UsageError, match=f"input choice 'in' has 2 candidates, found {n}"):
        run(choice, Selection((0,)), [X] * n)


# --- repeats ---------------------------------------------------------------------------------------------------------


def test_the_decision_of_a_repeat_is_its_depth_of_which_the_larger_contain_the_smaller() -> None:
    choice = Repeat(lambda i: nn.Identity(), (1, 3), label="depth")
    assert choice.decision == Decision("depth", ("1", "2", "3"), nested=True)


def test_blocks_are_made_for_their_positions() -> None:
    choice = Repeat(lambda i: Scaled(FACTORS[i]), (2, 3))
    assert [block.factor.item() for block in choice.blocks] == list(FACTORS[:3])  # type: ignore[union-attr, operator]


@pytest.mark.parametrize("wrap", [list, tuple, iter, nn.ModuleList, lambda blocks: nn.Sequential(*blocks)])
def test_blocks_may_be_given(wrap: Any) -> None:
    blocks = [nn.Identity(), nn.Tanh()]
    assert list(Repeat(wrap(blocks), (0, 2)).blocks) == blocks


def test_a_block_runs_for_all_depths_that_reach_it() -> None:
    choice = Repeat([nn.Identity() for _ in range(4)], (1, 4))
    found = units(choice)
    assert [(name, where) for name, _, where in found] == [
        ("blocks.0", (0, 1, 2, 3)),
        ("blocks.1", (1, 2, 3)),
        ("blocks.2", (2, 3)),
        ("blocks.3", (3,)),
    ]
    assert [choice.get_submodule(name) for name, _, _ in found] == list(choice.blocks)


@pytest.mark.parametrize("depth", [(-1, 2), (3, 2), (0, 0)])
def test_a_depth_that_is_no_range_is_refused(depth: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match=rf"repeat 'd': depth \({depth[0]}, {depth[1]}\) is no range"):
        Repeat(lambda i: nn.Identity(), depth, label="d")


@pytest.mark.parametrize("n", [0, 1, 3])
def test_another_number_of_blocks_than_the_greatest_depth_is_refused(n: int) -> None:
    with pytest.raises(UsageError, match=f"repeat 'd': {n} blocks for a depth of 2"):
        Repeat([nn.Identity() for _ in range(n)], (1, 2), label="d")


@pytest.mark.parametrize("block", [Scaled(2.0), layer()])
def test_one_module_is_not_taken_for_a_function_that_makes_blocks(block: nn.Module) -> None:
    with pytest.raises(UsageError, match="repeat 'd' takes several blocks") as caught:
        Repeat(block, (1, 2), label="d")  # type: ignore[arg-type]
    assert "lambda" in caught.value.hint


@pytest.mark.parametrize("label", [3, "", ("a",)])
def test_a_name_that_is_no_text_is_refused(label: Any) -> None:
    with pytest.raises(UsageError, match="the name of a choice is a text"):
        LayerChoice([nn.Identity()], label=label)


@pytest.mark.parametrize("depth", [3, (1.5, 3), (1, 2, 3)])
def test_a_depth_that_is_no_pair_of_whole_numbers_is_refused(depth: Any) -> None:
    with pytest.raises(UsageError, match="depth is \\(least, greatest\\)"):
        Repeat(lambda i: nn.Identity(), depth)
