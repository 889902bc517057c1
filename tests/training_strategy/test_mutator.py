from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nascli.errors import UsageError
from nascli.space import Selection
from nascli.supernet.base import Supernet
from nascli.supernet.mutables import LayerChoice
from nascli.training_strategy.mutator import Mutator, RandomMutator

from .mutators import GuideMutator
from .networks import ONE, SAMPLE, Net, Scale, Told, mask


class GuideNet(Net):
    """Without a repeat, which the guide does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.depth = nn.Identity()


def test_the_guides_random_mutator_works_as_it_is_written() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = GuideNet()
        mutator = GuideMutator(model)
        found = set()
        for _ in range(200):
            mutator.reset()
            found.add(model(ONE)[0, 0].item())
    assert found == {0, 1} | {added + factor**2 for added in (0, 1) for factor in (2, 3, 5)}
    assert {key: len(values) for key, values in mutator.export().items()} == {"a": 3, "b": 2}


def test_a_reset_stays_in_effect_for_plain_calls_until_the_next() -> None:
    model = Net()
    mutator = Told(model)
    mutator.reset()
    mutator.told = {**SAMPLE, "a": mask(1, 0, 0)}
    assert [model(ONE)[0, 0].item() for _ in range(2)] == [26 * 49, 26 * 49]
    mutator.reset()
    assert model(ONE)[0, 0].item() == 5 * 49


def test_a_reset_applies_what_sample_search_gives() -> None:
    given: list[Any] = []

    class Overridden(Told):
        def apply_on_model(self, sample: Any) -> None:
            given.append(sample)
            super().apply_on_model(sample)

    mutator = Overridden(Net())
    mutator.reset()
    assert given == [mutator.told]
    assert mutator.applied == mutator.told


def test_mutables_name_a_key_once_in_the_order_of_the_model() -> None:
    model = Net()
    assert Told(model).mutables == (model.first, model.inputs, model.depth)


def test_choices_inside_candidates_are_mutables_too() -> None:
    inner = LayerChoice([Scale(2.0), Scale(3.0)], label="inner")
    model = nn.Sequential(LayerChoice([inner, Scale(5.0)], label="outer"))
    mutator = Told(model, {"outer": mask(1, 0), "inner": mask(0, 1)})
    mutator.reset()
    assert mutator.mutables == (model[0], inner)
    assert model(ONE)[0, 0].item() == 3


def test_choices_without_a_label_have_their_place_for_a_key() -> None:
    model = nn.Sequential(LayerChoice([Scale(2.0), Scale(3.0)]))
    assert [mutable.key for mutable in RandomMutator(model).mutables] == ["0"]


def test_a_forward_that_is_handed_over_goes_before_the_mutator() -> None:
    supernet = Supernet(Net())
    Told(supernet.network).reset()
    path = {"a": Selection((1,)), "b": Selection((1,)), "c": Selection((0,))}
    assert supernet(ONE, path)[0, 0].item() == 9 * 7
    assert supernet(ONE)[0, 0].item() == 26 * 49


def test_a_model_that_was_never_reset_says_so() -> None:
    model = Net()
    Told(model)
    with pytest.raises(UsageError, match="Told has not sampled anything for 'a' yet") as caught:
        model(ONE)
    assert "reset()" in caught.value.hint


def test_a_mutator_without_sample_search_cannot_be_made() -> None:
    class Lacking(Mutator):
        pass

    with pytest.raises(TypeError, match="sample_search"):
        Lacking(Net())


def test_an_export_without_sample_final_says_what_to_write() -> None:
    class Searching(Mutator):
        def sample_search(self) -> dict[str, Tensor]:
            return SAMPLE

    with pytest.raises(UsageError, match="Searching has nothing to export") as caught:
        Searching(Net()).export()
    assert "sample_final" in caught.value.hint


def test_an_export_is_the_final_sample_and_leaves_the_model_alone() -> None:
    model = Net()
    mutator = Told(model)
    mutator.reset()
    mutator.told = {"c": mask(1, 0, 0), "b": mask(0, 1), "a": mask(1, 0, 0)}
    exported = mutator.export()
    assert list(exported) == ["a", "b", "c"]
    assert all(exported[key] is values for key, values in mutator.told.items())
    assert model(ONE)[0, 0].item() == 26 * 49


@pytest.mark.parametrize("call", ["reset", "export"])
def test_a_wrong_sample_is_refused_by_every_way_to_use_it(call: str) -> None:
    mutator = Told(Net(), {**SAMPLE, "b": mask(1)})
    with pytest.raises(UsageError, match=r"sample of Told, choice 'b': expected 2 values"):
        getattr(mutator, call)()


def test_a_refused_sample_leaves_the_last_one_in_effect() -> None:
    model = Net()
    mutator = Told(model)
    mutator.reset()
    with pytest.raises(UsageError):
        mutator.apply_on_model({})
    assert model(ONE)[0, 0].item() == 26 * 49


def test_an_export_as_json_has_plain_lists() -> None:
    mutator = Told(Net(), {**SAMPLE, "a": torch.tensor([0.25, 0.5, 0.25], requires_grad=True)})
    text = json.dumps(mutator.export_json())
    assert json.loads(text) == {"a": [0.25, 0.5, 0.25], "b": [True, True], "c": [False, True, False]}


def test_weights_carry_their_gradient_into_the_mutator() -> None:
    model, logits = Net(), nn.Parameter(torch.zeros(3, dtype=torch.float64))
    Told(model, {"a": logits.softmax(0), "b": mask(0, 1), "c": mask(1, 0, 0)}).reset()
    model(ONE)[0, 0].backward()
    mean, factors = 10 / 3, torch.tensor([2.0, 3.0, 5.0], dtype=torch.float64)
    torch.testing.assert_close(logits.grad, 7 * 2 * mean * (factors - mean) / 3)
