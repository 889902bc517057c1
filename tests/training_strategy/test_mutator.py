from __future__ import annotations

import io
import json
from collections import Counter
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nascli.errors import UsageError
from nascli.space import Selection
from nascli.supernet.base import Supernet
from nascli.supernet.mutables import InputChoice, LayerChoice, Repeat
from nascli.testing.randomness import no_global_randomness
from nascli.training_strategy.mutator import BaseMutator, Mutator, RandomMutator
from tests.cost.helpers import chi_square

from .networks import ONE, SAMPLE, Net, Scale, Told, mask

UNIFORM = 5.0  # standard deviations


class GuideMutator(Mutator):
    """The random mutator of NNI's guide, as its readers type it."""

    def __init__(self, model):
        super().__init__(model)

    def sample_search(self):
        result = dict()  # noqa: C408
        for mutable in self.mutables:
            if isinstance(mutable, LayerChoice):
                gen_index = np.random.randint(mutable.length)
                result[mutable.key] = torch.tensor([i == gen_index for i in range(mutable.length)], dtype=torch.bool)
            elif isinstance(mutable, InputChoice):  # noqa: SIM102
                if mutable.n_chosen is None:
                    result[mutable.key] = torch.randint(high=2, size=(mutable.n_candidates,)).view(-1).bool()
        return result

    def sample_final(self):
        return self.sample_search()


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


def test_the_model_is_no_part_of_the_mutator_and_the_mutator_none_of_the_model() -> None:
    class Trainable(Told):
        def __init__(self, model: nn.Module) -> None:
            super().__init__(model)
            self.alpha = nn.Parameter(torch.zeros(3))

    model = Net()
    names = list(model.state_dict())
    mutator = Trainable(model)
    mutator.reset()
    assert list(mutator.state_dict()) == ["alpha"]
    assert list(model.state_dict()) == names
    assert mutator not in set(model.modules())


def test_a_second_mutator_for_a_model_is_refused_by_both_names() -> None:
    model = Net()
    Told(model)
    with pytest.raises(UsageError, match=r"RandomMutator cannot be bound to Net: its choice 'a' is bound to Told"):
        RandomMutator(model)


def test_a_part_of_a_bound_model_is_refused() -> None:
    model = Net()
    Told(model)
    with pytest.raises(UsageError, match="is bound to Told"):
        Told(nn.Sequential(model.depth))


def test_a_refused_mutator_leaves_the_other_choices_free() -> None:
    bound, free = (LayerChoice([Scale(2.0)], label=label) for label in "ab")
    Told(nn.Sequential(bound))
    with pytest.raises(UsageError, match="is bound to Told"):
        Told(nn.Sequential(free, bound))
    assert free.chooser is None


@pytest.mark.parametrize(
    "rebind", [lambda m: setattr(m, "model", nn.Linear(1, 1)), lambda m: m.__init__(nn.Linear(1, 1))]
)
def test_a_mutator_cannot_be_bound_anew(rebind: Any) -> None:
    mutator = Told(Net())
    with pytest.raises(UsageError, match="Told is bound to Net and cannot be bound to Linear"):
        rebind(mutator)


def test_setting_the_model_that_a_mutator_has_changes_nothing() -> None:
    model = Net()
    mutator = Told(model)
    mutator.model = model
    assert list(mutator.modules()) == [mutator]
    assert mutator.model is model


def test_a_model_without_choices_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to search"):
        Told(nn.Linear(1, 1))


def test_a_model_that_was_never_reset_says_so() -> None:
    model = Net()
    Told(model)
    with pytest.raises(UsageError, match="Told has not sampled anything for 'a' yet") as caught:
        model(ONE)
    assert "reset()" in caught.value.hint


class Watching(BaseMutator):
    """Runs choices its own way, and notes what they were called with."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.calls: list[Any] = []

    def on_forward_layer_choice(self, mutable: LayerChoice, *args: Any, **kwargs: Any) -> Any:
        self.calls.append((mutable.key, args, kwargs))
        return 10 * args[0]

    def on_forward_input_choice(self, mutable: InputChoice, tensors: list[Tensor | None]) -> Any:
        self.calls.append((mutable.key, len(tensors)))
        return tensors[1]

    def on_forward_repeat(self, mutable: Repeat, *args: Any, **kwargs: Any) -> Any:
        self.calls.append((mutable.key, args, kwargs))
        return -args[0]


def test_callbacks_run_the_choices_of_a_plain_call() -> None:
    model = Net()
    mutator = Watching(model)
    assert model(ONE)[0, 0].item() == -100
    assert [call[0] for call in mutator.calls] == ["a", "a", "b", "c"]
    model.first(ONE, 3, scale=2)
    assert mutator.calls[-1] == ("a", (ONE, 3), {"scale": 2})


@pytest.mark.parametrize(("attribute", "callback"), [("first", "layer"), ("inputs", "input"), ("depth", "repeat")])
def test_a_callback_that_is_missing_is_named(attribute: str, callback: str) -> None:
    model = Net()
    BaseMutator(model)
    with pytest.raises(UsageError, match="BaseMutator does not say how to run") as caught:
        getattr(model, attribute)([ONE, ONE] if callback == "input" else ONE)
    assert caught.value.hint.startswith(f"override on_forward_{callback}")


def test_a_mutator_may_override_how_one_kind_of_choice_runs() -> None:
    class Doubled(Told):
        def on_forward_input_choice(self, mutable: InputChoice, tensors: list[Tensor | None]) -> Any:
            return 2 * super().on_forward_input_choice(mutable, tensors)

    model = Net()
    Doubled(model).reset()
    assert model(ONE)[0, 0].item() == 2 * 26 * 49


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


def test_a_model_can_be_copied_while_it_runs_weights_with_a_gradient() -> None:
    class Weighing(Told):
        def __init__(self, model: nn.Module) -> None:
            super().__init__(model)
            self.alpha = nn.Parameter(torch.ones(3))

        def sample_search(self) -> dict[str, Tensor]:
            return {**SAMPLE, "a": self.alpha.softmax(0)}

    model = Net()
    Weighing(model).reset()
    copy = deepcopy(model)
    assert torch.equal(copy(ONE), model(ONE))
    assert copy.first.chooser is not model.first.chooser
    assert copy.first.chooser.model is copy


def test_a_bound_model_can_be_saved_whole() -> None:
    model, buffer = Net(), io.BytesIO()
    RandomMutator(model, seed=0).reset()
    torch.save(model, buffer)
    buffer.seek(0)
    assert torch.equal(torch.load(buffer, weights_only=False)(ONE), model(ONE))


class Choices(nn.Module):
    """One choice of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = LayerChoice([Scale(2.0), Scale(3.0), Scale(5.0)], label="layer")
        self.any = InputChoice(3, label="any")
        self.two = InputChoice(4, n_chosen=2, label="two")
        self.depth = Repeat(lambda i: Scale(1.0), (0, 3), label="depth")


@pytest.mark.parametrize(("key", "states"), [("layer", 3), ("any", 7), ("two", 6), ("depth", 4)])
def test_the_random_mutator_draws_every_index_of_a_decision_alike(key: str, states: int) -> None:
    mutator = RandomMutator(Choices(), seed=1)
    drawn = [tuple(mutator.sample_search()[key].tolist()) for _ in range(150 * states)]
    among = sorted(Counter(drawn))
    assert len(among) == states
    numbers = np.array([[among.index(values)] for values in drawn])
    assert abs(chi_square(numbers, np.arange(states)[:, None])) < UNIFORM


def test_the_random_mutator_is_a_function_of_its_seed() -> None:
    one, same, other = (RandomMutator(Net(), seed=seed) for seed in (0, 0, 1))
    runs = [[mutator.sample_search()["a"].tolist() for _ in range(30)] for mutator in (one, same, other)]
    assert runs[0] == runs[1] != runs[2]


def test_the_random_mutator_leaves_the_global_generators_alone() -> None:
    with no_global_randomness():
        mutator = RandomMutator(Net())
        mutator.reset()
        mutator.export()


def test_the_random_mutator_always_gives_a_network_that_runs() -> None:
    model = Net()
    mutator = RandomMutator(model, seed=0)
    outputs = set()
    for _ in range(400):
        mutator.reset()
        outputs.add(model(ONE)[0, 0].item())
    assert len(outputs) == (1 + 3 + 3) * 3
