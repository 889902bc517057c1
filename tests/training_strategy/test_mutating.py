"""Users' mutators as training strategies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nascli.component import Reference, find_class, resolve
from nascli.config import Origin
from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.errors import ComponentError, ConfigError, UsageError
from nascli.run import Run
from nascli.space import Space
from nascli.supernet.base import Supernet
from nascli.testing import TrainingStrategyContract
from nascli.testing.network import network
from nascli.testing.randomness import no_global_randomness
from nascli.training_agent.supernet_training import train_supernet
from nascli.training_agent.updates import Updater
from nascli.training_strategy.adapted import adapted
from nascli.training_strategy.base import Losses, TrainingStrategy, Update
from nascli.training_strategy.mutator import BaseMutator, Mutator, RandomMutator
from nascli.training_strategy.uniform import Uniform
from stages.train_supernet import TrainSupernetConfig
from stages.train_supernet import train_supernet as train_supernet_stage
from tests.conftest import Write
from tests.training_agent.helpers import (
    Crash,
    CutRun,
    batch,
    events,
    fresh,
    setup,
    supernet_job,
    tiny,
    training,
    updater,
)

from .test_mutator import GuideMutator

torch.set_num_threads(1)


class Darts(Mutator):
    """Softmax over all candidates."""

    def __init__(self, model: nn.Module, temperature: float = 1.0) -> None:
        super().__init__(model)
        self.temperature = temperature
        self.alphas = nn.ParameterDict({m.key: torch.randn(len(m.decision.candidates)) * 1e-3 for m in self.mutables})

    def sample_search(self) -> dict[str, Tensor]:
        return {key: (alpha / self.temperature).softmax(0) for key, alpha in self.alphas.items()}


class Enas(Mutator):
    """REINFORCE (Williams, 1992) with a moving baseline."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.logits = nn.ParameterList([torch.zeros(len(m.decision.candidates)) for m in self.mutables])
        self.baseline: Tensor
        self.register_buffer("baseline", torch.zeros(()))

    def sample_search(self) -> dict[str, Tensor]:
        sample, self.log_prob = {}, torch.zeros(())
        for mutable, logits in zip(self.mutables, self.logits, strict=True):
            index = torch.multinomial(logits.softmax(0), 1)
            self.log_prob = self.log_prob + logits.log_softmax(0)[index].sum()
            sample[str(mutable.key)] = torch.arange(len(logits)) == index
        return sample

    def reward(self, losses: Losses) -> Tensor:
        advantage = losses.accuracies[0] - self.baseline
        self.baseline += 0.1 * advantage
        return -advantage * self.log_prob


class Own(Mutator):
    """Runs layer choices by its parameters directly, in a callback."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.alpha = nn.Parameter(torch.zeros(5))

    def sample_search(self) -> dict[str, Tensor]:
        return {str(m.key): torch.ones(5) * self.alpha.softmax(0) for m in self.mutables}

    def on_forward_layer_choice(self, mutable: Any, *args: Any, **kwargs: Any) -> Any:
        weights = self.alpha.softmax(0)
        return sum(w * mutable[i](*args, **kwargs) for i, w in enumerate(weights))


def ready(mutator: type[Mutator], module: nn.Module | None = None, **options: Any) -> Any:
    """The strategy of a mutator, bound to the tiny supernet or to another."""
    cls = adapted(mutator)
    strategy, space = cls(cls.Config(**options)), tiny().space
    costs = CostModel(space, {})
    strategy.setup(space, costs, FeasibleSet(costs, []))
    strategy.bind(module or fresh(tiny().supernet))
    return strategy


def shape(update: Update) -> tuple[int, str, str | None, bool]:
    assert all(item.forward is None and item.target == "labels" for item in update.passes)
    return len(update.passes), update.split, update.params, update.penalty is not None


def shapes(strategy: TrainingStrategy) -> list[tuple[int, str, str | None, bool]]:
    """What the updates of a step are, each answered with losses."""
    generator = strategy.updates(0, np.random.default_rng(0))
    found, losses = [shape(next(generator))], Losses([torch.tensor(1.0)], [torch.tensor(0.5)])
    while True:
        try:
            found.append(shape(generator.send(losses)))
        except StopIteration:
            return found


WEIGHTS, ARCH = (1, "train", "weights", False), (1, "arch", "arch", False)
MEASURE, REWARD = (1, "arch", None, False), (0, "arch", "arch", True)


@pytest.mark.parametrize(
    ("mutator", "expected"),
    [
        (RandomMutator, [WEIGHTS]),
        (GuideMutator, [WEIGHTS]),
        (Darts, [ARCH, WEIGHTS]),
        (Enas, [WEIGHTS, MEASURE, REWARD]),
    ],
)
def test_a_step_of_a_mutator(mutator: type[Mutator], expected: list[Any]) -> None:
    assert shapes(ready(mutator)) == expected


def test_a_reward_goes_before_the_gradient_of_the_sample() -> None:
    class Silent(Darts):
        def reward(self, losses: Losses) -> None:
            assert len(losses.losses) == 1

    assert shapes(ready(Silent)) == [WEIGHTS, MEASURE]


def test_a_mutator_sees_the_users_network_and_not_what_is_around_it() -> None:
    module: Supernet = fresh(tiny().supernet)
    assert ready(RandomMutator, module).mutator.model is module.network


def test_parameters_have_the_names_that_they_have_in_the_mutator() -> None:
    strategy = ready(Darts)
    assert strategy.arch_parameters() == dict(strategy.mutator.named_parameters())
    assert ready(GuideMutator).arch_parameters() == {}


def test_frozen_parameters_and_the_models_own_are_not_trained() -> None:
    class Greedy(Darts):
        def __init__(self, model: nn.Module) -> None:
            super().__init__(model)
            self.stolen = self.mutables[0]
            self.frozen = nn.Parameter(torch.zeros(3), requires_grad=False)

    assert set(ready(Greedy).arch_parameters()) == {f"alphas.layer_{i:02d}" for i in range(6)}


def run(strategy: Any, module: Supernet) -> tuple[Updater, dict[str, Any]]:
    """One step by the training agent; the mutator's gradients after each kind of update."""
    runner = updater(module, list(strategy.arch_parameters().values()))
    generator, seen = strategy.updates(0, np.random.default_rng(0)), {}
    update = next(generator)
    while True:
        for parameter in strategy.arch_parameters().values():
            parameter.grad = None
        losses = runner.run(update, batch())
        name = str(update.params)
        seen[name] = {n: p.grad for n, p in strategy.arch_parameters().items() if p.grad is not None}
        try:
            update = generator.send(losses)
        except StopIteration:
            return runner, seen


@pytest.mark.parametrize("mutator", [Darts, Own, Enas])
def test_only_architecture_updates_give_the_mutator_a_gradient(mutator: type[Mutator]) -> None:
    module: Supernet = fresh(tiny().supernet)
    strategy = ready(mutator, module)
    before = {name: p.detach().clone() for name, p in strategy.arch_parameters().items()}
    _, seen = run(strategy, module)
    assert seen.pop("arch").keys() == before.keys()
    assert all(found == {} for found in seen.values())
    assert all(not torch.equal(p, before[name]) for name, p in strategy.arch_parameters().items())
    assert all(p.requires_grad for p in strategy.arch_parameters().values())


def test_a_step_that_fails_leaves_the_mutator_trainable() -> None:
    strategy = ready(Darts)
    generator = strategy.updates(0, np.random.default_rng(0))
    next(generator)
    next(generator)
    assert not any(p.requires_grad for p in strategy.arch_parameters().values())
    generator.close()
    assert all(p.requires_grad for p in strategy.arch_parameters().values())


def test_all_updates_of_a_step_run_one_sample() -> None:
    strategy = ready(RandomMutator)
    calls = []
    strategy.mutator.reset = lambda: (calls.append(1), RandomMutator.reset(strategy.mutator))
    shapes(strategy)
    assert len(calls) == 1


def test_the_weights_are_trained_by_the_values_of_the_sample() -> None:
    strategy = ready(Darts)
    generator = strategy.updates(0, np.random.default_rng(0))
    next(generator)
    sampled = {key: values.detach().clone() for key, values in strategy.mutator.applied.items()}
    generator.send(Losses([torch.tensor(1.0)], [torch.tensor(0.5)]))
    assert all(torch.equal(values, sampled[key]) for key, values in strategy.mutator.applied.items())
    assert not any(values.requires_grad for values in strategy.mutator.applied.values())


def test_a_reward_without_parameters_measures_on_the_training_split() -> None:
    rewards: list[Losses] = []

    class Counting(RandomMutator):
        def reward(self, losses: Losses) -> None:
            rewards.append(losses)

    assert shapes(ready(Counting)) == [WEIGHTS, (1, "train", None, False)]
    assert [losses.accuracies[0].item() for losses in rewards] == [0.5]


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        (3.0, "a scalar tensor"),
        (torch.tensor(3.0), "carries a gradient"),
        (torch.ones(2, requires_grad=True), "scalar"),
    ],
)
def test_a_reward_that_cannot_be_trained_on_is_refused(loss: Any, said: str) -> None:
    class Wrong(Enas):
        def reward(self, losses: Losses) -> Any:
            return loss

    with pytest.raises(UsageError, match=rf"Wrong.reward\(\) returns .*{said}"):
        shapes(ready(Wrong))


def test_a_loss_without_anything_to_train_is_refused() -> None:
    class Wrong(RandomMutator):
        def reward(self, losses: Losses) -> Tensor:
            return torch.tensor(1.0, requires_grad=True)

    with pytest.raises(UsageError, match=r"Wrong.reward\(\) returned a loss, but the mutator has no parameters"):
        shapes(ready(Wrong))


def test_rewards_favour_what_scores_better() -> None:
    space = Space("one", tiny().space.decisions[:1], (1, 8, 8), 10)
    module = network(space)
    strategy = adapted(Enas)()
    strategy.setup(space, CostModel(space, {}), FeasibleSet(CostModel(space, {}), []))
    strategy.bind(module)
    (logits,) = strategy.arch_parameters().values()
    optimizer = torch.optim.Adam([logits], lr=0.1)
    for step in range(200):
        generator = strategy.updates(step, np.random.default_rng(step))
        next(generator)
        generator.send(Losses([], []))
        right = torch.tensor(float(strategy.mutator.applied["layer_00"][3]))
        update = generator.send(Losses([torch.tensor(0.0)], [right]))
        optimizer.zero_grad()
        update.penalty().backward()
        optimizer.step()
    assert logits.softmax(0)[3] > 0.9


JOBS = {
    "as in the guide": supernet_job(adapted(GuideMutator)),
    "random": supernet_job(adapted(RandomMutator)),
    "darts": supernet_job(adapted(Darts), epochs=6),
    "enas": supernet_job(adapted(Enas), epochs=6),
}
SHORT = supernet_job(adapted(GuideMutator), epochs=1)


@pytest.mark.parametrize("job", JOBS)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(job: str, tmp_path: Path) -> None:
    whole = JOBS[job](Run(tmp_path / "whole.pt"))
    interrupted = CutRun(tmp_path / "out.pt")
    interrupted.cut = "between checkpoints"
    with pytest.raises(Crash):
        JOBS[job](interrupted)
    with torch.random.fork_rng():
        torch.manual_seed(99)
        np.random.seed(99)
        resumed = JOBS[job](Run(tmp_path / "out.pt", resume=True))
    for name, value in whole.payload.state_dict.items():
        assert torch.equal(value, resumed.payload.state_dict[name]), name
    assert resumed.header.digest == whole.header.digest


def test_training_leaves_the_global_generators_alone(tmp_path: Path) -> None:
    with no_global_randomness():
        SHORT(Run(tmp_path / "out.pt"))


def test_another_seed_samples_other_architectures(tmp_path: Path) -> None:
    found = []
    for seed in (0, 1):
        strategy = ready(GuideMutator)
        next(strategy.updates(0, Run(tmp_path / "out.pt", seed=seed).rng("path", 0)))
        found.append([int(values.nonzero()) for values in strategy.mutator.applied.values()])
    assert found[0] != found[1]


def test_parameters_of_a_mutator_are_in_the_result(tmp_path: Path) -> None:
    trained, summary = train_supernet(tiny(), adapted(Darts)(), setup(Run(tmp_path / "out.pt")), training(epochs=1))
    assert summary["steps"] == 3, "the arch split is withheld from the training images"
    assert set(trained.arch_parameters) == {f"alphas.layer_{i:02d}" for i in range(6)}
    assert trained.strategy["module"].keys() == trained.arch_parameters.keys()
    assert not any(name.startswith("chooser") or "alpha" in name for name in trained.state_dict)


def test_a_trained_supernet_runs_forwards_that_are_handed_over(tmp_path: Path) -> None:
    module: Supernet = fresh(tiny().supernet)
    ready(GuideMutator, module)
    plain: Supernet = fresh(tiny().supernet)
    path = tiny().space.forward([0, 1, 2, 3, 4, 0])
    assert torch.equal(module.eval()(batch().images, path), plain.eval()(batch().images, path))


FILE = '''
from nascli.training_strategy.mutator import BaseMutator, RandomMutator

class Mine(RandomMutator):
    """Mine."""
    def __init__(self, model, sharpness, seed=None, *, name="mine"):
        super().__init__(model, seed)
        self.sharpness, self.name = sharpness, name

class Callbacks(BaseMutator):
    pass

class Elsewhere:
    pass
'''


def named(write: Write, cls: str, **options: Any) -> Reference:
    path = write("my.py", FILE)
    return resolve("training_strategy", {"use": f"./my.py:{cls}", **options}, Origin(base=path.parent))


def test_a_reference_names_a_mutator_and_its_arguments_are_options(write: Write) -> None:
    reference = named(write, "Mine", sharpness=3, name="other")
    assert reference.cls.__name__ == "Mine"
    assert reference.name == "my.py:Mine"
    strategy = reference.build()
    strategy.setup(tiny().space, None, None)
    strategy.bind(fresh(tiny().supernet))
    assert (strategy.mutator.sharpness, strategy.mutator.name) == (3, "other")


def test_equal_references_are_equal(write: Write) -> None:
    assert named(write, "Mine", sharpness=3) == named(write, "Mine", sharpness=3)


@pytest.mark.parametrize(
    ("options", "said"),
    [({}, "'sharpness' is missing"), ({"sharpness": 1, "nme": 2}, "unknown key 'nme'; did you mean 'name'")],
)
def test_options_are_checked_like_those_of_any_component(options: Any, said: str, write: Write) -> None:
    with pytest.raises(ConfigError, match=said):
        named(write, "Mine", **options)


def test_callbacks_alone_do_not_train(write: Write) -> None:
    with pytest.raises(ComponentError, match="'Callbacks' samples nothing"):
        named(write, "Callbacks")


def test_a_class_of_another_kind_is_refused_as_before(write: Write) -> None:
    with pytest.raises(ComponentError, match=r"'\./my\.py:Elsewhere' is not a TrainingStrategy"):
        named(write, "Elsewhere")


def test_an_abstract_mutator_is_refused() -> None:
    with pytest.raises(ComponentError, match="'Mutator' is not complete: it lacks sample_search"):
        find_class("training_strategy", "nascli.training_strategy.mutator:Mutator")


def test_what_is_no_mutator_stays_what_it_is() -> None:
    for found in (BaseMutator.forward, 3, TrainingStrategy):
        assert adapted(found) is found


def test_naming_another_strategy_imports_no_torch() -> None:
    code = "from nascli.component import find_class; find_class('training_strategy', 'uniform')"
    check = f"{code}\nimport sys\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_a_strategy_is_bound_once_to_the_supernet_after_its_setup(tmp_path: Path) -> None:
    bound: list[Any] = []

    class Watching(Uniform):
        def bind(self, module: nn.Module) -> None:
            bound.append((module, self.space.fingerprint, torch.initial_seed()))

        def arch_parameters(self) -> dict[str, nn.Parameter]:
            assert bound, "parameters may be made by bind"
            return {}

    run = Run(tmp_path / "out.pt")
    train_supernet(tiny(), Watching(), setup(run), training(epochs=1))
    ((module, fingerprint, seed),) = bound
    assert isinstance(module, Supernet)
    assert (fingerprint, seed) == (tiny().space.fingerprint, run.torch_seed("init"))


def test_the_stage_trains_by_a_users_mutator(write: Write, tmp_path: Path) -> None:
    reference = named(write, "Mine", sharpness=3)
    space = {"use": "tiny", "width": 4}
    data = {"use": "digits", "batch_size": 256}
    config = TrainSupernetConfig(
        training_strategy=reference, search_space=space, dataflow=data, epochs=1, accelerator="cpu"
    )
    found = train_supernet_stage(config, Run(tmp_path / "supernet.pt"), lut=None, teacher=None)
    assert found.header.summary["steps"] > 0
    assert events(tmp_path, "train")


class TestGuideMutator(TrainingStrategyContract):
    make = adapted(GuideMutator)


class TestDarts(TrainingStrategyContract):
    make = adapted(Darts)


class TestEnas(TrainingStrategyContract):
    make = adapted(Enas)


class Remembering(RandomMutator):
    """Keeps a number and a list between steps."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.baseline, self.seen = 0.0, [1]

    def reset(self) -> None:
        super().reset()
        self.baseline += 0.5


class Failing(RandomMutator):
    """Has a mistake."""

    def sample_search(self) -> Any:
        return {}["missing"]


def bound(mutator: type[Mutator]) -> Any:
    strategy, space = adapted(mutator)(), tiny()
    strategy.setup(space.space, CostModel(space.space, {}), FeasibleSet(CostModel(space.space, {})))
    strategy.bind(space.supernet())
    return strategy


def test_plain_attributes_of_a_mutator_are_in_its_state() -> None:
    first, second = bound(Remembering), bound(Remembering)
    list(first.updates(0, np.random.default_rng(0)))
    second.load_state_dict(first.state_dict())
    assert (second.mutator.baseline, second.mutator.seen) == (0.5, [1])
    assert first.state_dict()["attributes"] == {"baseline": 0.5, "seen": [1]}


def test_a_mistake_in_a_mutator_is_named_with_its_place() -> None:
    with pytest.raises(ComponentError, match=r"Failing\.reset\(\) failed") as caught:
        next(bound(Failing).updates(0, np.random.default_rng(0)))
    assert caught.value.why.startswith("KeyError: 'missing' (test_mutating.py, line ")
