"""The other library's samplers as training strategies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nascli.component import find_class, resolve
from nascli.config import Origin
from nascli.errors import ComponentError, UsageError
from nascli.testing.spaces import chain, feasible
from nascli.training_strategy.base import Losses
from nascli.training_strategy.sampler import BaseSampler
from tests.conftest import Write

from .samplers import FairSampler, GumbelSampler, SoftmaxSampler, UniformSampler, path, ready, step


def test_a_sampler_gets_the_sizes_of_the_space() -> None:
    sampler = ready(UniformSampler).sampler
    assert (sampler.micro_len, sampler.macro_len) == (4, 3)


def test_a_step_of_single_paths_is_one_update_of_the_weights() -> None:
    (update,) = step(ready(UniformSampler, feasible(chain([[0] * 4] * 3))))
    assert (update.split, update.params, len(update.passes)) == ("train", "weights", 1)
    assert all(len(active) == 1 for active in path(update))


def test_a_fair_sampler_runs_every_candidate_once_a_round() -> None:
    strategy = ready(FairSampler, feasible(chain([[0] * 4] * 3)))
    rounds = np.array([[path(step(strategy, n)[0])] for n in range(8)]).reshape(2, 4, 3)
    assert (np.sort(rounds, axis=1) == np.arange(4)[None, :, None]).all()
    assert not np.array_equal(rounds[0], rounds[1])


def test_mixtures_by_initialised_parameters_are_trained_before_the_weights() -> None:
    strategy = ready(SoftmaxSampler)
    arch, weights = step(strategy)
    assert [(u.split, u.params) for u in (arch, weights)] == [("arch", "arch"), ("train", "weights")]
    assert path(arch) == path(weights) == [(0, 1, 2), (0, 1, 2, 3), (0, 1, 2)]
    assert {name: tuple(p.shape) for name, p in strategy.arch_parameters().items()} == {
        "layer_0": (3,),
        "layer_1": (4,),
        "layer_2": (3,),
    }


def test_the_weights_see_the_parameters_as_they_are_after_their_update() -> None:
    strategy = ready(GumbelSampler)
    generator = strategy.updates(0, np.random.default_rng(0))
    before = next(generator).passes[0].forward["layer_0"].weights
    with torch.no_grad():
        strategy.arch_parameters()["layer_0"] += torch.tensor([0.0, 1.0, 0.0])
    after = generator.send(Losses([], [])).passes[0].forward["layer_0"].weights
    shift = (after.log() - before.log()) * 5.0
    torch.testing.assert_close(shift - shift[0], torch.tensor([0.0, 1.0, 0.0]), rtol=0, atol=1e-4)


def test_the_noise_of_a_step_follows_from_its_generator() -> None:
    found = [step(ready(GumbelSampler), number)[-1].passes[0].forward["layer_0"].weights for number in (0, 0, 1)]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_arguments_behind_the_first_three_are_options() -> None:
    strategy = ready(GumbelSampler, tau=0.5)
    step(strategy)
    assert strategy.sampler.tau == 0.45


def test_a_sampler_with_a_generator_of_its_own_draws_from_the_steps() -> None:
    class Own(UniformSampler):
        rng = np.random.default_rng(0)

        def step(self):
            self.model.set_forward_state("single")
            self.model.set_activate_architecture(self.rng.integers(3, size=self.macro_len))

    strategy = ready(Own)
    found = [path(step(strategy, number)[0]) for number in (4, 5, 4)]
    assert found[0] == found[2] != found[1]


class Array(BaseSampler):
    """Has a state of every kind, and what no checkpoint holds."""

    def __init__(self, micro_len, macro_len, model):
        super().__init__(micro_len, macro_len, model)
        self.numbers, self.text, self.flags = (1, 2.5, None), "a", {"x": [True]}
        self.array, self.tensor = np.arange(3), torch.arange(2.0)
        self.module, self.function = nn.Linear(1, 1), print

    def step(self):
        self.model.set_forward_state("single")


def test_a_state_holds_the_plain_attributes_of_a_sampler() -> None:
    state = ready(Array).state_dict()["sampler"]
    assert set(state) == {"numbers", "text", "flags", "array", "tensor"}
    strategy = ready(Array)
    strategy.load_state_dict(
        {**strategy.state_dict(), "sampler": {**state, "array": torch.tensor([4, 5]), "text": "b"}}
    )
    assert strategy.sampler.text == "b"
    assert isinstance(strategy.sampler.array, np.ndarray)
    assert strategy.sampler.array.tolist() == [4, 5]


def test_a_state_is_the_samplers_own_where_it_has_one() -> None:
    class Own(FairSampler):
        loaded: Any = None

        def state_dict(self):
            return {"mine": 3}

        def load_state_dict(self, state):
            self.loaded = state

    strategy = ready(Own)
    state = strategy.state_dict()
    assert state["sampler"] == {"mine": 3}
    strategy.load_state_dict(state)
    assert strategy.sampler.loaded == {"mine": 3}


@pytest.mark.parametrize(
    ("sampler", "said", "hint"),
    [
        ("pass", "has set no forward state", "set_forward_state"),
        ("self.model.set_forward_state('single')", "'single', but no architecture", "set_activate_architecture"),
        ("self.model.set_forward_state('sum')", "there are no architecture parameters", "initialize_arch_param"),
        ("self.model.initialize_arch_param()", "too late in step", "__init__"),
    ],
)
def test_a_step_that_sets_too_little_is_told_what_to_call(sampler: str, said: str, hint: str) -> None:
    class Lacking(BaseSampler):
        def step(self):
            exec(sampler)

    with pytest.raises(UsageError, match=said) as caught:
        step(ready(Lacking))
    assert hint in caught.value.hint


def test_a_reference_names_a_sampler(write: Write) -> None:
    file = write(
        "my.py",
        "from nascli.training_strategy.sampler import BaseSampler\n\n"
        "class MySampler(BaseSampler):\n    def step(self):\n        self.model.set_forward_state('single')\n",
    )
    reference = resolve("training_strategy", "./my.py:MySampler", Origin(base=file.parent))
    assert reference.cls.sampler_class.__name__ == "MySampler"


def test_a_sampler_without_a_step_is_refused() -> None:
    with pytest.raises(ComponentError, match="'BaseSampler' is not complete: it lacks step"):
        find_class("training_strategy", "nascli.training_strategy.sampler:BaseSampler")
