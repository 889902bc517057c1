"""The other library's samplers as training strategies."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nascli.component import find_class, resolve
from nascli.config import Origin
from nascli.cost.feasible import FeasibleSet
from nascli.errors import ComponentError, UsageError
from nascli.run import Run
from nascli.supernet.base import Supernet
from nascli.testing import TrainingStrategyContract
from nascli.testing.network import network
from nascli.testing.spaces import chain, feasible
from nascli.training_agent.supernet_training import train_supernet
from nascli.training_strategy.adapted import adapted
from nascli.training_strategy.base import Losses, Update
from nascli.training_strategy.sampler import BaseSampler
from tests.conftest import Write
from tests.training_agent.helpers import Crash, CutRun, batch, fresh, setup, supernet_job, tiny, training, updater

torch.set_num_threads(1)


class UniformSampler(BaseSampler):
    """As the guide's template asks, super() and DataParallel included."""

    def __init__(self, micro_len, macro_len, model):
        super(UniformSampler, self).__init__(micro_len, macro_len, model)  # noqa: UP008

    def step(self):
        model = self.model.module if isinstance(self.model, nn.DataParallel) else self.model
        model.set_forward_state("single")
        model.set_activate_architecture(torch.randint(low=0, high=self.micro_len, size=(self.macro_len,)))


class FairSampler(BaseSampler):
    """Every candidate once before any twice; remembers its order in lists."""

    def __init__(self, micro_len, macro_len, model):
        super().__init__(micro_len, macro_len, model)
        self.order = [list(range(micro_len)) for _ in range(macro_len)]
        self.position = 0
        self.counts = np.zeros(micro_len, dtype=np.int64)
        self.shuffle()
        self.model.set_forward_state("single")

    def shuffle(self):
        for order in self.order:
            random.shuffle(order)

    def architecture(self):
        return [order[self.position] for order in self.order]

    def step(self):
        arch = self.architecture()
        self.counts[arch[0]] += 1
        self.model.set_activate_architecture(np.array(arch))
        self.position = (self.position + 1) % self.micro_len
        if self.position == 0:
            self.shuffle()


class SoftmaxSampler(BaseSampler):
    """DARTS."""

    def __init__(self, micro_len, macro_len, model):
        super().__init__(micro_len, macro_len, model)
        self.model.initialize_arch_param()

    def step(self):
        self.model.set_forward_state("softmax")


class GumbelSampler(SoftmaxSampler):
    """FBNet: the temperature falls; it starts at an option of the sampler."""

    def __init__(self, micro_len, macro_len, model, tau=5.0):
        super().__init__(micro_len, macro_len, model)
        self.tau = tau

    def step(self):
        self.model.set_forward_state("gumbel_softmax", tau=self.tau)
        self.tau *= 0.9


def ready(sampler: type[BaseSampler], among: FeasibleSet | None = None, **options: Any) -> Any:
    """The strategy of a sampler on a space of 3, 4 and 3 candidates, or another."""
    among = among or feasible(chain([[0, 3, 5], [1, 2, 9, 4], [7, 7, 0]]))
    cls = adapted(sampler)
    strategy = cls(cls.Config(**options))
    strategy.setup(among.space, among.model, among)
    strategy.bind(network(among.space))
    return strategy


def step(strategy: Any, number: int = 0) -> list[Update]:
    losses = Losses([torch.tensor(1.0)], [torch.tensor(0.5)])
    generator = strategy.updates(number, np.random.default_rng(number))
    found = [next(generator)]
    while True:
        try:
            found.append(generator.send(losses))
        except StopIteration:
            return found


def path(update: Update) -> list[tuple[int, ...]]:
    return [selection.active for selection in update.passes[0].forward.values()]


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


def test_training_agents_train_the_parameters_of_every_kind_of_mixture() -> None:
    for state in ("softmax", "gumbel_softmax", "sum"):

        class Mixed(SoftmaxSampler):
            state = ""

            def step(self):
                self.model.set_forward_state(self.state)

        Mixed.state = state
        module: Supernet = fresh(tiny().supernet)
        strategy = ready(Mixed, FeasibleSet(tiny().lookup_table([]), []))
        arch = list(strategy.arch_parameters().values())
        before = [alpha.detach().clone() for alpha in arch]
        runner = updater(module, arch)
        for update in strategy.updates(0, np.random.default_rng(0)):
            runner.run(update, batch())
            if update.params == "weights":
                break
        assert all(not torch.equal(alpha, old) for alpha, old in zip(arch, before, strict=True)), state


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


JOBS = {
    "uniform": supernet_job(adapted(UniformSampler)),
    "fair": supernet_job(adapted(FairSampler)),
    "gumbel": supernet_job(adapted(GumbelSampler), epochs=6),
}


@pytest.mark.parametrize("job", JOBS)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(job: str, tmp_path: Path) -> None:
    whole = JOBS[job](Run(tmp_path / "whole.pt"))
    interrupted = CutRun(tmp_path / "out.pt")
    interrupted.cut = "between checkpoints"
    with pytest.raises(Crash):
        JOBS[job](interrupted)
    resumed = JOBS[job](Run(tmp_path / "out.pt", resume=True))
    for name, value in whole.payload.state_dict.items():
        assert torch.equal(value, resumed.payload.state_dict[name]), name
    assert resumed.header.digest == whole.header.digest


def test_architecture_parameters_are_in_the_result_by_label(tmp_path: Path) -> None:
    trained, _ = train_supernet(tiny(), adapted(SoftmaxSampler)(), setup(Run(tmp_path / "o.pt")), training(epochs=1))
    assert {name: len(alpha) for name, alpha in trained.arch_parameters.items()} == {
        f"layer_{i:02d}": 5 for i in range(6)
    }


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


class Sized(FairSampler):
    """Fair where the sizes differ: the guide's samplers know the largest alone."""

    def architecture(self):
        return [index % size for index, size in zip(super().architecture(), self.model.space.sizes, strict=True)]


class TestFair(TrainingStrategyContract):
    make = adapted(Sized)


class TestSoftmax(TrainingStrategyContract):
    make = adapted(SoftmaxSampler)


class TestGumbel(TrainingStrategyContract):
    make = adapted(GumbelSampler)
