from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.model import Model, TrainedModel
from nascli.cli import run
from nascli.component import resolve
from nascli.cost.constraint import Constraint
from nascli.cost.macs import Macs
from nascli.cost.model import CostModel, Factor, Metric
from nascli.cost.params import Params
from nascli.cost.table import to_table
from nascli.dataflow.sources import Part, Source
from nascli.dataflow.synthetic import Synthetic
from nascli.errors import Infeasible, Mismatch
from nascli.run import Run
from nascli.search_space.base import record_of
from nascli.space import Selection
from nascli.training_agent.memory import activation_bytes
from nascli.training_agent.panel import PanelOptions
from nascli.training_agent.supernet_training import Plan, train_supernet
from nascli.training_agent.teaching import Taught
from nascli.training_agent.updates import Teacher
from nascli.training_strategy.base import Pass, Update, Updates
from nascli.training_strategy.constrained import Constrained
from nascli.training_strategy.uniform import Uniform

from .helpers import ARCH, SHAPE, Mixture, batch, flow, fresh, gradients, setup, state_of, tiny, training, updater

SPACE = tiny().space
LIMIT = Plan(constraints=[Constraint.parse("macs<=20e3")])


def metric(cost: float, error: float | None = None) -> Metric:
    """Every candidate of every layer costs the same."""
    factors = tuple(Factor((i,), np.full(d.size, cost)) for i, d in enumerate(SPACE.decisions))
    return Metric("latency_ms", "ms", 0.0, factors, exact=False, error=error)


def macs_trained(strategy: type[Uniform], folder: Path) -> list[int]:
    """The MACs of the paths that a training under `LIMIT` took."""
    taken: list[Any] = []

    class Watching(strategy):  # type: ignore[misc,valid-type]
        def updates(self, step: int, rng: Any) -> Updates:
            for update in super().updates(step, rng):
                taken.append([update.passes[0].forward[d.label].active[0] for d in SPACE.decisions])
                yield update

    train_supernet(tiny(), Watching(), setup(Run(folder / "s.pt")), training(epochs=1), LIMIT)
    costs = tiny().lookup_table([Macs()])
    return [int(costs.total("macs", torch.tensor(arch).numpy())[0]) for arch in taken]


def test_constrained_training_keeps_the_constraint_and_uniform_training_does_not(tmp_path: Path) -> None:
    assert max(macs_trained(Constrained, tmp_path)) <= 20e3
    assert max(macs_trained(Uniform, tmp_path)) > 20e3


def test_an_infeasible_constraint_is_refused_before_an_image_is_read(tmp_path: Path) -> None:
    class Sealed(Synthetic):
        """Images that must not be looked at."""

        def source(self, part: Part) -> Source | None:
            raise AssertionError("the images were read")

    def trained(*constraints: str) -> None:
        plan = Plan(constraints=[Constraint.parse(text) for text in constraints], panel=PanelOptions(2, 1, 8))
        train_supernet(tiny(), Uniform(), setup(Run(tmp_path / "s.pt"), Sealed(flow().config)), training(), plan)

    with pytest.raises(Infeasible):
        trained("macs<=1")
    with pytest.raises(AssertionError, match="the images were read"):
        trained()


def test_the_constraint_is_on_the_costs_of_the_table_that_is_given(tmp_path: Path) -> None:
    costs = CostModel(SPACE, {"latency_ms": metric(1.0)})
    plan = Plan(LookupTable(to_table(costs)), [Constraint.parse("latency_ms<=5.5")])
    with pytest.raises(Infeasible, match="latency_ms"):
        train_supernet(tiny(), Uniform(), setup(Run(tmp_path / "s.pt")), training(), plan)


def test_measured_costs_keep_the_margin_of_the_table(tmp_path: Path) -> None:
    costs = CostModel(SPACE, {"latency_ms": metric(1.0, error=0.1)})
    bound = 1.1 * len(SPACE.decisions)
    told = LookupTable(to_table(costs)), [Constraint.parse(f"latency_ms<={bound + 0.1}")]
    with pytest.raises(Infeasible, match="with a margin of 20 %"):
        train_supernet(tiny(), Constrained(), setup(Run(tmp_path / "s.pt")), training(), Plan(*told, margin=0.2))
    _, summary = train_supernet(tiny(), Constrained(), setup(Run(tmp_path / "s.pt")), training(epochs=1), Plan(*told))
    assert summary["margin"] == {"latency_ms": 0.1}


def test_a_table_of_another_space_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reference = resolve("search_space", {"use": "tiny", "width": 8})
    space = reference.build()
    table = LookupTable(to_table(space.lookup_table([Params()])), space=record_of(reference, space.space))
    table.write(tmp_path / "lut.h5")
    (tmp_path / "run.yaml").write_text("search_space: {use: tiny, width: 4}\ndataflow: synthetic\n")
    arguments = ["--lut", str(tmp_path / "lut.h5"), "-c", str(tmp_path / "run.yaml"), "-o", str(tmp_path / "s.pt")]
    assert run(["train-supernet", *arguments]) == 3
    assert "--lut is of the search space 'Tiny'" in capsys.readouterr().err
    assert not (tmp_path / "s.pt").exists()


def test_a_mixture_says_its_memory_before_it_starts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Full(Mixture):
        """Runs all candidates."""

        is_mixture = True

    train_supernet(tiny(), Full(), setup(Run(tmp_path / "s.pt")), training(epochs=1))
    assert "MiB of activations" in capsys.readouterr().err


def test_a_mixture_keeps_more_than_a_path_and_two_batches_twice_as_much() -> None:
    module = fresh(tiny().supernet)
    before = state_of(module)
    everything = {d.label: Selection(tuple(range(5)), torch.full((5,), 0.2)) for d in SPACE.decisions}
    path = activation_bytes(module, SPACE.forward(ARCH), SHAPE, 8)
    mixture = activation_bytes(module, everything, SHAPE, 8)
    assert mixture > 2 * path > 0
    assert activation_bytes(module, everything, SHAPE, 16) == 2 * mixture
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_passes_on_labels_imitate_the_teacher_too() -> None:
    module, images = fresh(tiny().supernet), batch()
    teacher = fresh(lambda: tiny().model(ARCH), seed=1).eval()
    before = state_of(teacher)
    runner = updater(module, learning_rate=1e-30)
    runner.teacher = Teacher(teacher, 0.5)
    (loss,) = runner.run(Update([Pass(SPACE.forward(ARCH))]), images).losses
    other = fresh(tiny().supernet)
    outputs = other(images.images, SPACE.forward(ARCH))
    expected = runner.criterion(outputs, images.labels) + 0.5 * runner.agent.imitate(outputs, teacher(images.images))
    torch.testing.assert_close(loss, expected.detach())
    assert gradients(teacher) == {}
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


def test_a_teacher_of_other_data_is_refused(tmp_path: Path) -> None:
    state = fresh(lambda: tiny().model(ARCH)).state_dict()
    model = Model(TrainedModel(ARCH, state), data=flow(seed=5).describe())
    plan = Plan(teacher=Taught(model, tiny()))
    with pytest.raises(Mismatch, match="--teacher"):
        train_supernet(tiny(), Uniform(), setup(Run(tmp_path / "s.pt")), training(), plan)


def test_passes_and_a_penalty_may_share_one_graph() -> None:
    alpha = torch.nn.Parameter(torch.linspace(-1, 1, 5))
    module, images = fresh(tiny().supernet), batch()
    probabilities = alpha.softmax(0)
    forward = {d.label: Selection(tuple(range(5)), probabilities) for d in SPACE.decisions}
    runner = updater(module, [alpha])
    runner.optimizers["arch"].step = lambda *a, **k: None  # type: ignore[method-assign]
    costs = torch.arange(5.0)
    update = Update([Pass(forward), Pass(forward, scale=0.5)], "train", "arch", (probabilities * costs).sum)
    runner.run(update, images)
    found = alpha.grad
    again = torch.nn.Parameter(alpha.detach().clone())
    other, weights = fresh(tiny().supernet), again.softmax(0)
    loss = runner.criterion(
        other(images.images, {k: Selection(s.active, weights) for k, s in forward.items()}), images.labels
    )
    (1.5 * loss + (weights * costs).sum()).backward()
    torch.testing.assert_close(found, again.grad)


@pytest.mark.parametrize("strategy", [Uniform, Mixture])
def test_training_that_keeps_no_activations_gives_the_same_weights(strategy: Any, tmp_path: Path) -> None:
    kept, again = (
        train_supernet(tiny(), strategy(), setup(Run(tmp_path / f"{recompute}.pt")), training(epochs=1), plan)[0]
        for recompute, plan in ((False, Plan()), (True, Plan(recompute=True)))
    )
    assert all(torch.equal(value, again.state_dict[name]) for name, value in kept.state_dict.items())
    assert all(torch.equal(value, again.arch_parameters[name]) for name, value in kept.arch_parameters.items())
