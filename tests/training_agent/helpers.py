"""A small training on generated images, and runs that are cut short."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import update_bn

from nascli.artifacts.base import Artifact
from nascli.artifacts.model import Model
from nascli.artifacts.supernet import SupernetCheckpoint
from nascli.component import Reference
from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.criterion.base import Criterion
from nascli.dataflow.base import Batch, Dataflow
from nascli.dataflow.synthetic import Synthetic, SyntheticAugment
from nascli.engine import Engine
from nascli.run import Run
from nascli.search_space.tiny import Tiny
from nascli.search_strategy.base import Score
from nascli.space import Forward, Selection, Space
from nascli.supernet.base import Supernet
from nascli.training_agent.base import Setup, TrainingAgent
from nascli.training_agent.classification import Classification
from nascli.training_agent.jobs import retrain
from nascli.training_agent.optimisation import optimizer_of
from nascli.training_agent.scorer import Images
from nascli.training_agent.scoring import full
from nascli.training_agent.settings import Training
from nascli.training_agent.supernet_training import train_supernet
from nascli.training_agent.updates import Updater
from nascli.training_strategy.base import Losses, Pass, TrainingStrategy, Update
from nascli.training_strategy.uniform import Uniform

SHAPE, CLASSES = (3, 8, 8), 4
ARCH = (1, 0, 4, 2, 3, 0)
OTHER = (2, 3, 4, 1, 3, 1)


def flow(**options: Any) -> Synthetic:
    """48 images to train on, 12 to validate, 12 to test: 6 steps an epoch."""
    sizes = {"train_images": 60, "test_images": 12, "batch_size": 8, "valid_share": 0.2}
    return Synthetic(Synthetic.Config(**{"classes": CLASSES, "image_shape": SHAPE, **sizes, **options}))


def tiny() -> Tiny:
    return Tiny(Tiny.Config(input_shape=SHAPE, classes=CLASSES, width=4))


def training(**options: Any) -> Training:
    """Three epochs with a checkpoint every four steps, and nothing left to the clock."""
    schedule = {"epochs": 3, "checkpoint_steps": 4, "checkpoint_minutes": 1e6, "learning_rate": 0.05}
    return Training(**{"accelerator": "cpu", **schedule, **options})


def setup(run: Run, dataflow: Dataflow | None = None) -> Setup:
    return Setup(Classification(), dataflow or flow(), run)


def batch(n: int = 8) -> Batch:
    return next(flow(batch_size=n).batches("train", train=True, device="cpu", channels_last=True))


def fresh(make: Callable[[], nn.Module], seed: int = 0) -> Any:
    """A module whose weights are drawn from `seed`."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make().to(memory_format=torch.channels_last).train()


def updater(module: nn.Module, arch: list[nn.Parameter] | None = None, **options: Any) -> Updater:
    """What the trainer makes, without clipping unless told otherwise."""
    told = training(**{"clip_grad": None, **options})
    engine = told.engine()
    optimizers = {"weights": optimizer_of([module], told, engine)}
    if arch:
        optimizers["arch"] = torch.optim.Adam(arch, lr=0.1)
    return Updater(module, nn.CrossEntropyLoss(), Classification(), engine, optimizers, told.clip_grad)


def state_of(module: nn.Module) -> dict[str, torch.Tensor]:
    """A copy of weights and buffers."""
    return {name: value.clone() for name, value in module.state_dict().items()}


def gradients(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}


class PathView(nn.Module):
    """A supernet fixed to one forward, as an ordinary module; in train mode BatchNorm alone trains."""

    def __init__(self, supernet: Supernet, forward: Forward) -> None:
        super().__init__()
        self.supernet, self.selected = supernet, forward

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.supernet(x, self.selected)
        return output

    def train(self, mode: bool = True) -> PathView:
        super().train(False)
        for module in self.modules():
            if isinstance(module, _BatchNorm):
                module.training = mode
        return self


@torch.no_grad()
def scored_alone(supernet: Supernet, forward: Forward, images: Images, agent: TrainingAgent, engine: Engine) -> Score:
    """One network by itself, eager, with torch's `update_bn`: what every faster way of scoring is held against."""
    path, judged = PathView(supernet, forward), agent.judged()
    with engine.autocast():
        update_bn((batch.images for batch in full(images.calibration)), path)
    path.eval()
    for batch in images.validation:
        with engine.autocast():
            outputs = path(batch.images)
        judged.add(outputs, batch.labels)
    return judged.score()


class Mixture(TrainingStrategy):
    """Softmax mixtures of all candidates; every other step updates architecture parameters. Remembers its turn."""

    def setup(self, space: Space, costs: CostModel, feasible: FeasibleSet) -> None:
        super().setup(space, costs, feasible)
        self._alpha = {d.label: nn.Parameter(torch.zeros(d.size)) for d in space.decisions}
        self.turn = 0

    def mix(self) -> Forward:
        return {label: Selection(tuple(range(len(a))), a.softmax(0)) for label, a in self._alpha.items()}

    def updates(self, step: int, rng: np.random.Generator) -> Generator[Update, Losses, None]:
        if self.turn % 2 == 0:
            yield Update([Pass(self.mix())], "arch", "arch")
        yield Update([Pass(self.mix())])
        self.turn += 1

    def arch_parameters(self) -> dict[str, nn.Parameter]:
        return self._alpha

    def state_dict(self) -> dict[str, Any]:
        return {"turn": self.turn}

    def load_state_dict(self, state: Any) -> None:
        self.turn = state["turn"]


class Tempered(Criterion):
    """Cross-entropy at a trainable temperature."""

    def build(self) -> nn.Module:
        class Loss(nn.CrossEntropyLoss):
            def __init__(self) -> None:
                super().__init__()
                self.sharpness = nn.Parameter(torch.ones(()))

            def forward(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
                return super().forward(self.sharpness * outputs, labels)

        return Loss()


TEMPERED = Reference("criterion", "tempered", Tempered, Tempered.Config())


class Crash(Exception):
    """A run died."""


class CutRun(Run):
    """Dies after the checkpoint of step 8, or with what came after it, or is asked to stop during step 9."""

    cut = ""

    def log(self, **fields: Any) -> None:
        super().log(**fields)
        if self.cut == "after a checkpoint" and (fields["event"], fields["step"]) == ("checkpoint", 8):
            raise Crash

    def checkpoint(self, artifact: Artifact[Any]) -> None:
        if self.cut == "between checkpoints" and artifact.payload.step == 12:
            raise Crash
        super().checkpoint(artifact)

    def rng(self, stream: str, step: int = 0) -> np.random.Generator:
        if self.cut == "asked to stop" and (stream, step) == ("path", 9):
            self.stopping = True
        return super().rng(stream, step)


Job = Callable[[Run], Artifact[Any]]


def supernet_job(strategy: type[TrainingStrategy] = Uniform, **options: Any) -> Job:
    """Trains a supernet; gives the sealed artifact."""

    def job(run: Run) -> SupernetCheckpoint:
        run.start()
        trained, summary = train_supernet(tiny(), strategy(), setup(run), training(**options))
        return run.complete(SupernetCheckpoint(trained, summary=summary)).sealed()

    return job


def retrain_job(**options: Any) -> Job:
    """Retrains with everything that retraining can add; gives the sealed artifact."""

    def job(run: Run) -> Model:
        run.start()
        data = flow(augment=SyntheticAugment(randaugment=True, flip=True))
        criterion = {"use": "cross_entropy", "label_smoothing": 0.1}
        told = training(**{"criterion": criterion, "ema_decay": 0.9, "mixup": 0.4, "cutmix": 0.6, **options})
        trained, summary = retrain(tiny(), ARCH, setup(run, data), told)
        return run.complete(Model(trained, summary=summary)).sealed()

    return job


def events(folder: Path, name: str) -> list[dict[str, Any]]:
    """The lines of a run's log about one kind of event."""
    (log,) = folder.glob("*.run/log.jsonl")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [line for line in lines if line["event"] == name]
