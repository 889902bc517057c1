"""The contracts of a training agent and of an evaluator."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from nascli.component import Component, Reference
from nascli.config import Config, run_option
from nascli.dataflow.base import Dataflow
from nascli.run import Run
from nascli.search_strategy.base import Need, Score

if TYPE_CHECKING:
    from torch import Tensor

    from nascli.artifacts.supernet import SupernetCheckpoint
    from nascli.engine import Engine
    from nascli.search_space.base import SearchSpace
    from nascli.space import Archs


class Engines(Config):
    """Where and how exactly to compute."""

    accelerator: Literal["auto", "cpu", "cuda", "mps"] = run_option("auto", description="where to compute")
    precision: Literal["32", "bf16", "fp16"] = Field(
        "32", description="precision of forwards and losses", json_schema_extra={"shared": True}
    )

    threads: int = run_option(0, ge=0, description="threads of the CPU; 0: as many as torch takes")

    def engine(self) -> Engine:
        """The engine; imports torch."""
        from nascli.engine import Engine

        return Engine(self.accelerator, self.precision, self.threads)


class Training(Engines):
    """How weights are trained."""

    epochs: int = Field(30, ge=1, description="how many times the training images are seen")
    optimizer: Literal["sgd", "adamw"] = Field("sgd", description="sgd with Nesterov momentum, or adamw")
    learning_rate: float = Field(0.1, gt=0, description="after warm-up; it falls to 0 on a cosine")
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd")
    weight_decay: float = Field(4e-5, ge=0, description="of weights; BatchNorm and biases have none")
    warmup_epochs: float = Field(1.0, ge=0, description="epochs in which the learning rate rises linearly")
    clip_grad: float | None = Field(5.0, gt=0, description="largest norm of the gradient; null: not clipped")
    checkpoint_steps: int = run_option(0, ge=0, description="steps between checkpoints; 0: by time alone")
    checkpoint_minutes: float = run_option(2.0, gt=0, description="minutes between checkpoints")


@dataclass(frozen=True)
class Setup:
    """What a loop works with besides the module: the parts that a stage was told to use."""

    agent: TrainingAgent
    dataflow: Dataflow
    criterion: Reference
    run: Run


class TrainingAgent(Component):
    """What is special to a task; the loops in `training_agent/loop.py` call it.

    All methods are called once a batch, with tensors on the device.
    """

    @abstractmethod
    def judge(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """(score, loss) of each image, float (n,) each; scores lie in 0 to 1, higher is better.

        Args:
            outputs: what the network gave, float (n, …).
            labels: int64 (n,), or class probabilities (n, classes) when images were mixed.
        """

    @abstractmethod
    def imitate(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        """The distillation loss of `outputs` against a teacher's detached outputs, a scalar."""

    @abstractmethod
    def report(self, outputs: Tensor, labels: Tensor, classes: Sequence[str]) -> dict[str, Any]:
        """The evaluation of a whole test set; called once, on the CPU. Plain JSON values."""


@dataclass(frozen=True)
class EvaluatorInputs:
    """What an evaluator may need; the stage gives what it has."""

    space: SearchSpace
    setup: Setup
    engines: Engines
    supernet: SupernetCheckpoint | None


class Evaluator(Component):
    """Gives architectures their scores.

    `prepare` is called once, before anything is scored and after the constraint was checked; `evaluate` is called
    with at most `chunk` architectures at a time, between which a search can be interrupted. The same
    architecture must get the same score whatever was scored before.
    """

    offers: ClassVar[frozenset[Need]] = frozenset({"score"})
    needs_supernet: ClassVar[bool] = False
    chunk: ClassVar[int] = 1

    @abstractmethod
    def prepare(self, inputs: EvaluatorInputs) -> Mapping[str, Any]:
        """Load what scoring needs; facts worth remembering in the result's header are returned."""

    @abstractmethod
    def evaluate(self, archs: Archs) -> list[Score]:
        """Scores of canonical architectures int64 (n, d); failures as `Score.error`, not as exceptions."""
