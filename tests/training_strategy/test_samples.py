from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nascli.errors import UsageError
from nascli.space import Decision, Space
from nascli.supernet.mutables import InputChoice, LayerChoice
from nascli.training_strategy.samples import architecture, plain

from .networks import ONE, SAMPLE, Net, Told, mask

WEIGHTS = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)


def output(sample: dict[str, Tensor], **options: Any) -> float:
    """What the network makes of 1 under a sample."""
    model = Net(**options)
    Told(model, {**SAMPLE, **sample}).reset()
    value: float = model(ONE)[0, 0].item()
    return value


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ({}, (1 + 25) * 49),
        ({"b": mask(0, 1)}, 25 * 49),
        ({"a": mask(1, 1, 0)}, (1 + 25) * 49),
        ({"a": WEIGHTS}, (1 + 3**2) * 49),
        ({"b": torch.tensor([2.0, 0.0])}, 2 * 49),
        ({"c": mask(0, 0, 1)}, 26 * 343),
        ({"c": mask(1, 1, 0)}, 26 * (7 + 49)),
        ({"c": torch.tensor([0.5, 0.0, 1.0])}, 26 * (3.5 + 343)),
    ],
)
def test_a_mask_selects_and_weights_weigh(sample: dict[str, Tensor], expected: float) -> None:
    assert output(sample) == expected


def test_a_mean_is_of_what_the_mask_selects() -> None:
    assert output({"a": mask(1, 1, 0)}, reduction="mean") == (1 + 2.5**2) / 2 * 49


def test_half_precision_weights_are_weights() -> None:
    assert output({"a": torch.tensor([0.0, 0.0, 1.0], dtype=torch.bfloat16)}) == 26 * 49


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_an_empty_mask_gives_zeros_for_sums_and_means(reduction: str) -> None:
    assert output({"a": mask(0, 0, 0), "b": mask(0, 1)}, reduction=reduction) == 0
    assert output({"b": mask(0, 0)}, reduction=reduction) == 0


def test_an_empty_mask_touches_no_candidate() -> None:
    layer = nn.Sequential(nn.Conv2d(1, 3, 3, stride=2), nn.BatchNorm2d(3), nn.Dropout(0.5))
    layer[2].eval()
    model = nn.Sequential(LayerChoice([layer, nn.Conv2d(1, 3, 3, stride=2)], label="a"))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    Told(model, {"a": mask(0, 0)}).reset()
    found = model(torch.rand(2, 1, 9, 9, generator=torch.Generator()))
    assert torch.equal(found, torch.zeros(2, 3, 4, 4))
    assert not found.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [module.training for module in layer] == [True, True, False]
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("reduction", ["concat", "none"])
@pytest.mark.parametrize("key", ["a", "b"])
def test_an_empty_mask_without_zeros_to_give_is_refused_by_its_key(reduction: str, key: str) -> None:
    empty = torch.zeros(len(SAMPLE[key]), dtype=torch.bool)
    with pytest.raises(UsageError, match=f"choice '{key}': no candidate is selected") as caught:
        output({key: empty}, reduction=reduction)
    assert reduction in caught.value.why


def test_one_place_of_a_key_without_zeros_is_enough_to_refuse_an_empty_mask() -> None:
    places = [LayerChoice([nn.Identity()], label="a", reduction=reduction) for reduction in ("sum", "none")]
    with pytest.raises(UsageError, match="'none'"):
        Told(nn.Sequential(*places), {"a": mask(0)}).reset()


def test_an_empty_mask_of_a_repeat_is_refused() -> None:
    with pytest.raises(UsageError, match="choice 'c': no candidate is selected"):
        output({"c": mask(0, 0, 0)})


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        ([], "gives a mapping from keys to tensors, found list"),
        (None, "gives a mapping from keys to tensors, found NoneType"),
        ({"a": SAMPLE["a"], "c": SAMPLE["c"]}, "gives nothing for the choice 'b'"),
        ({**SAMPLE, "d": mask(1)}, "gives something for 'd', but no choice has this key"),
        ({**SAMPLE, "a": [True, False, False]}, "choice 'a': expected a BoolTensor or a FloatTensor, found list"),
        ({**SAMPLE, "a": torch.tensor([0, 1, 0])}, "choice 'a': .* found a tensor of torch.int64"),
        ({**SAMPLE, "a": mask(0, 1)}, r"choice 'a': expected 3 values, .* found shape \(2,\)"),
        ({**SAMPLE, "a": torch.ones(1, 3)}, r"choice 'a': expected 3 values, .* found shape \(1, 3\)"),
        ({**SAMPLE, "a": torch.tensor(1.0)}, r"choice 'a': expected 3 values, .* found shape \(\)"),
    ],
)
def test_a_sample_that_is_none_is_refused_by_its_key(sample: Any, said: str) -> None:
    mutator = Told(Net())
    mutator.told = sample
    with pytest.raises(UsageError, match=said):
        mutator.reset()


@pytest.mark.parametrize("chosen", [mask(1, 0, 0), mask(1, 1, 1), mask(0, 0, 0)])
def test_a_mask_selects_as_many_inputs_as_are_chosen(chosen: Tensor) -> None:
    model = nn.Sequential(InputChoice(3, n_chosen=2, label="b"))
    with pytest.raises(UsageError, match=f"choice 'b': 2 of its candidates are chosen, found {int(chosen.sum())}"):
        Told(model, {"b": chosen}).reset()


SPACE = Space(
    "mixed",
    (
        Decision("layer", ("x", "y", "z")),
        Decision("two", ("p", "q", "r", "s"), 2),
        Decision("any", ("p", "q", "r"), None),
        Decision("inner", ("x", "y"), active_if=(("layer", (1, 2)),)),
    ),
    (1, 8, 8),
    10,
)


def masks(arch: list[int]) -> dict[str, Tensor]:
    """The masks of an architecture."""
    found = {}
    for decision, index in zip(SPACE.decisions, arch, strict=True):
        found[decision.label] = torch.zeros(len(decision.candidates), dtype=torch.bool)
        found[decision.label][list(decision.chosen(index))] = True
    return found


ARCHS = st.tuples(*(st.integers(0, size - 1) for size in SPACE.sizes)).map(list)


@settings(max_examples=60)
@given(ARCHS)
def test_masks_are_the_canonical_architecture_that_they_select(arch: list[int]) -> None:
    expected = SPACE.canonical(np.array(arch))
    for sample in (masks(arch), plain(masks(arch))):
        found = architecture(SPACE, sample)
        assert found.dtype == np.int64
        assert np.array_equal(found, expected)


def test_weights_are_the_architecture_of_the_greatest() -> None:
    weights = {"layer": torch.tensor([0.1, 0.2, 0.7]), "two": torch.tensor([0.3, -1.0, 0.1, 0.9])}
    found = architecture(SPACE, {**masks([0, 0, 4, 1]), **weights})
    assert list(found) == [2, SPACE.decisions[1].index((0, 3)), 4, 1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"any": torch.ones(3)}, "'any' takes any number of candidates: weights do not say which"),
        ({"layer": mask(1, 1, 0)}, "'layer': 1 of its candidates are chosen, found 2"),
        ({"layer": mask(0, 0, 0)}, "'layer': 1 of its candidates are chosen, found 0"),
        ({"two": mask(1, 1, 1, 0)}, "'two': 2 of its candidates are chosen, found 3"),
        ({"any": mask(0, 0, 0)}, "'any': at least 1 of its candidates are chosen, found 0"),
        ({"layer": mask(1, 0)}, "'layer': expected 3 values"),
        ({"other": mask(1)}, "'other'"),
    ],
)
def test_a_sample_that_is_no_architecture_is_refused(change: dict[str, Tensor], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        architecture(SPACE, {**masks([0, 0, 0, 0]), **change})
