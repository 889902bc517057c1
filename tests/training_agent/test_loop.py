from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from nascli.artifacts.base import Artifact
from nascli.artifacts.checkpoint import Checkpoint
from nascli.component import Reference
from nascli.criterion.base import Criterion
from nascli.dataflow.base import Batch
from nascli.dataflow.synthetic import Synthetic
from nascli.errors import ConfigError, Interrupted, RunFailed, UsageError
from nascli.run import Run
from nascli.training_agent.jobs import Plain
from nascli.training_agent.loop import Trainer
from nascli.training_agent.supernet_training import train_supernet
from nascli.training_strategy.base import Pass, TrainingStrategy, Update, Updates
from nascli.training_strategy.uniform import Uniform

from .helpers import (
    ARCH,
    TEMPERED,
    Crash,
    CutRun,
    Job,
    Mixture,
    events,
    flow,
    fresh,
    retrain_job,
    setup,
    state_of,
    supernet_job,
    tiny,
    training,
)

JOBS: dict[str, Job] = {
    "supernet": supernet_job(),
    "supernet, adamw": supernet_job(optimizer="adamw", learning_rate=1e-3),
    "mixture": supernet_job(Mixture, epochs=6, clip_grad=None),
    "retrain": retrain_job(),
    "retrain, trainable criterion": retrain_job(criterion=TEMPERED),
    "retrain, adamw, bf16": retrain_job(optimizer="adamw", learning_rate=1e-3, precision="bf16"),
}
CUTS = {"after a checkpoint": 8, "between checkpoints": 8, "asked to stop": 10}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The result of a job that nothing interrupted."""
    return cache(lambda job: JOBS[job](Run(tmp_path_factory.mktemp("whole") / "out.pt")))


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("job", JOBS)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(job: str, cut: str, tmp_path: Path, whole: Any) -> None:
    run = CutRun(tmp_path / "out.pt")
    run.cut = cut
    with pytest.raises(Interrupted if cut == "asked to stop" else Crash):
        JOBS[job](run)
    resumed = JOBS[job](Run(tmp_path / "out.pt", resume=True))
    assert [event["step"] for event in events(tmp_path, "resume")] == [CUTS[cut]]
    same(resumed, whole(job))


def same(one: Artifact[Any], other: Artifact[Any]) -> None:
    """Weights first, because they say more than two digests."""
    for name, value in one.payload.state_dict.items():
        assert torch.equal(value, other.payload.state_dict[name]), name
    assert one.header.summary == other.header.summary
    assert one.header.digest == other.header.digest


def test_checkpoints_and_reports_in_between_do_not_change_the_result(tmp_path: Path, whole: Any) -> None:
    same(supernet_job(checkpoint_steps=0)(Run(tmp_path / "out.pt")), whole("supernet"))


@pytest.mark.parametrize("job", ["supernet", "retrain"])
def test_the_same_seed_gives_the_same_digest_whatever_torchs_generator_stands_at(
    job: str, tmp_path: Path, whole: Any
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1234)
        before = torch.get_rng_state()
        same(JOBS[job](Run(tmp_path / "out.pt")), whole(job))
        assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("job", ["supernet", "retrain"])
def test_another_seed_gives_another_digest(job: str, tmp_path: Path, whole: Any) -> None:
    assert JOBS[job](Run(tmp_path / "out.pt", seed=1)).header.digest != whole(job).header.digest


def test_a_resumed_run_without_a_checkpoint_starts_afresh(tmp_path: Path, whole: Any) -> None:
    same(JOBS["supernet"](Run(tmp_path / "out.pt", resume=True)), whole("supernet"))


class Spoiled(Criterion):
    """Cross-entropy that is not a number at its seventh call."""

    def build(self) -> torch.nn.Module:
        class Loss(torch.nn.CrossEntropyLoss):
            calls = 0

            def forward(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
                self.calls += 1
                return super().forward(outputs, labels) * (float("nan") if self.calls == 7 else 1)

        return Loss()


SPOILED = Reference("criterion", "spoiled", Spoiled, Spoiled.Config())


@pytest.mark.parametrize("every", [4, 0])
def test_a_loss_that_is_not_finite_is_named_with_its_step_learning_rate_and_path(every: int, tmp_path: Path) -> None:
    run, strategy = Run(tmp_path / "out.pt"), Uniform()
    options = training(checkpoint_steps=every, criterion=SPOILED, warmup_epochs=2, learning_rate=0.13)
    with pytest.raises(RunFailed, match="the loss is not finite at step 6, path ") as caught:
        train_supernet(tiny(), strategy, setup(run), options)
    (update,) = strategy.updates(6, run.rng("path", 6))
    path = [str(selection.active[0]) for selection in update.passes[0].forward.values()]
    assert caught.value.what.endswith("path " + ",".join(path))
    assert "learning rate 0.07 at that step" in caught.value.why  # 7 / 13 of the largest
    assert caught.value.exit_code == 5


def test_the_path_of_a_loss_that_is_not_finite_is_the_one_that_ran(tmp_path: Path) -> None:
    class Walking(TrainingStrategy):
        """Remembers how often it was asked; the third pass of each step takes the next candidate."""

        asked = 0

        def updates(self, step: int, rng: Any) -> Updates:
            paths = [4, 4, self.asked % 5, 4]
            self.asked += 1
            yield Update([Pass(self.space.forward([path] * 6)) for path in paths])

    with pytest.raises(RunFailed, match=r"at step 1, path 1,1,1,1,1,1\n"):  # the seventh loss
        train_supernet(tiny(), Walking(), setup(Run(tmp_path / "out.pt")), training(criterion=SPOILED))


def test_a_weight_that_is_not_finite_fails_the_run_though_no_loss_saw_it(tmp_path: Path) -> None:
    class Spoiling(Plain):
        """Puts a NaN where no path comes by."""

        def updates(self, step: int, rng: Any) -> Updates:
            yield from super().updates(step, rng)
            if step == 2:
                with torch.no_grad():
                    unused.fill_(float("nan"))

    module = fresh(lambda: tiny().model(ARCH))
    unused = torch.nn.Parameter(torch.zeros(1))
    module.register_parameter("unused", unused)
    with pytest.raises(RunFailed, match="a weight is not finite at step 3"):
        Trainer(module, Spoiling(), setup(Run(tmp_path / "out.pt")), training()).fit()


def test_checkpoints_replace_each_other(tmp_path: Path) -> None:
    run = CutRun(tmp_path / "out.pt")
    run.cut = "between checkpoints"
    with pytest.raises(Crash):
        JOBS["supernet"](run)
    assert len(events(tmp_path, "checkpoint")) > 1
    assert [file.name for file in run.folder.iterdir() if file.suffix == ".pt"] == ["last.pt"]


def test_checkpoints_come_by_the_clock_too(tmp_path: Path) -> None:
    options = training(epochs=1, checkpoint_steps=0, checkpoint_minutes=1e-9)
    Trainer(fresh(lambda: tiny().model(ARCH)), Plain(), setup(Run(tmp_path / "out.pt")), options).fit()
    assert [event["step"] for event in events(tmp_path, "checkpoint")] == [1, 2, 3, 4, 5]


def test_a_failed_run_keeps_its_last_good_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(RunFailed):
        train_supernet(tiny(), Uniform(), setup(Run(tmp_path / "out.pt")), training(criterion=SPOILED))
    progress = Checkpoint.open(tmp_path / "out.pt.run/last.pt").payload
    assert progress.step == 4
    assert all(value.isfinite().all() for value in progress.state["module"].values())


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    trainer = Trainer(fresh(lambda: tiny().model(ARCH)), Plain(), setup(Run(tmp_path / "out.pt")), training(epochs=20))
    summary = trainer.fit()
    assert summary["steps"] == 120
    assert summary["train_loss"] < 0.3
    assert summary["train_accuracy"] > 0.9


def test_the_moving_average_is_of_weights_and_buffers(tmp_path: Path) -> None:
    module = fresh(lambda: tiny().model(ARCH))
    states: list[dict[str, torch.Tensor]] = []

    class Watching(Plain):
        """Copies the state at the start of each step."""

        def updates(self, step: int, rng: Any) -> Updates:
            states.append(state_of(module))
            yield from super().updates(step, rng)

    trainer = Trainer(module, Watching(), setup(Run(tmp_path / "out.pt")), training(epochs=1, ema_decay=0.75))
    trainer.fit()
    states.append(state_of(module))
    for name, value in trainer.result().state_dict().items():
        if value.is_floating_point():
            expected = states[1][name]
            for step, state in enumerate(states[2:], start=1):
                decay = min(0.75, (1 + step) / (10 + step))
                expected = decay * expected + (1 - decay) * state[name]
            torch.testing.assert_close(value, expected)


def test_without_a_moving_average_the_module_is_the_result(tmp_path: Path) -> None:
    trainer = Trainer(fresh(lambda: tiny().model(ARCH)), Plain(), setup(Run(tmp_path / "out.pt")), training())
    assert trainer.result() is trainer.module


def test_every_batch_is_mixed_by_a_random_stream_of_its_step(tmp_path: Path) -> None:
    drawn = []
    trainer = Trainer(fresh(lambda: tiny().model(ARCH)), Plain(), setup(Run(tmp_path / "out.pt")), training(epochs=1))

    def mix(batch: Batch) -> Batch:
        drawn.append((tuple(batch.images.shape), torch.rand(()).item()))
        return batch

    trainer.mix = mix
    trainer.fit()
    assert [shape for shape, _ in drawn] == [(8, 3, 8, 8)] * 6
    assert len(set(drawn)) == 6


class Recorded(Synthetic):
    """Remembers which images were asked for, by split."""

    def batches(self, split: Any, **options: Any) -> Any:
        self.asked = getattr(self, "asked", {})
        self.asked[split] = set(self.indices(split, withhold_arch=options["withhold_arch"]))
        return super().batches(split, **options)


@pytest.mark.parametrize("strategy", [Uniform, Mixture])
def test_arch_images_are_withheld_where_the_strategy_has_architecture_parameters(
    strategy: type[TrainingStrategy], tmp_path: Path
) -> None:
    data = Recorded(flow().config)
    _, summary = train_supernet(tiny(), strategy(), setup(Run(tmp_path / "out.pt"), data), training(epochs=1))
    train, arch = set(data.indices("train")), set(data.indices("arch"))
    assert arch < train
    assert data.asked == ({"train": train} if strategy is Uniform else {"train": train - arch, "arch": arch})
    assert summary["steps"] == (6 if strategy is Uniform else 3)


def test_architecture_parameters_are_in_the_result(tmp_path: Path) -> None:
    trained, _ = train_supernet(tiny(), Mixture(), setup(Run(tmp_path / "out.pt")), training())
    assert [tuple(alpha.shape) for alpha in trained.arch_parameters.values()] == [(5,)] * 6
    assert all(alpha.abs().sum() > 0 for alpha in trained.arch_parameters.values())
    assert trained.strategy == {"turn": 9}


@pytest.mark.parametrize("params", ["arch", "weights"])
def test_the_arch_split_without_architecture_parameters_is_refused(params: Any, tmp_path: Path) -> None:
    class Wrong(TrainingStrategy):
        """Has no architecture parameters."""

        def updates(self, step: int, rng: Any) -> Updates:
            yield Update([Pass(self.space.forward(ARCH))], "arch", params)

    with pytest.raises(UsageError, match="arch_parameters"):
        train_supernet(tiny(), Wrong(), setup(Run(tmp_path / "out.pt")), training())


def test_a_strategy_sees_the_losses_of_its_update(tmp_path: Path) -> None:
    seen = []

    class Curious(TrainingStrategy):
        """Keeps what it is sent."""

        def updates(self, step: int, rng: Any) -> Updates:
            forward = self.space.forward(ARCH)
            losses = yield Update([Pass(forward), Pass(forward, scale=0.0)])
            seen.append([loss.item() for loss in losses.losses])

    train_supernet(tiny(), Curious(), setup(Run(tmp_path / "out.pt")), training(epochs=1))
    assert len(seen) == 6
    assert all(first == second > 0 for first, second in seen)


def test_a_resumed_run_refuses_other_data(tmp_path: Path) -> None:
    run = CutRun(tmp_path / "out.pt")
    run.cut = "after a checkpoint"
    with pytest.raises(Crash):
        train_supernet(tiny(), Uniform(), setup(run), training())
    other = setup(Run(tmp_path / "out.pt", resume=True), flow(split_seed=5))
    with pytest.raises(ConfigError, match=r"cannot resume .*: data changed"):
        train_supernet(tiny(), Uniform(), other, training())
