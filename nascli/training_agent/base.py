"""The contracts of a training agent and of an evaluator."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from nascli.component import Component
from nascli.dataflow.base import Dataflow
from nascli.errors import UsageError
from nascli.run import Run
from nascli.search_strategy.base import Need, Score
from nascli.training_agent.settings import Engines

if TYPE_CHECKING:
    from torch import Tensor

    from nascli.artifacts.supernet import SupernetCheckpoint
    from nascli.search_space.base import SearchSpace
    from nascli.space import Archs


@dataclass(frozen=True)
class Setup:
    """What a loop works with besides the module: the parts that a stage was told to use."""

    agent: TrainingAgent
    dataflow: Dataflow
    run: Run

    def __post_init__(self) -> None:
        self.agent.attend(self.dataflow)


class TrainingAgent(Component):
    """What is special to a task; the loops in `training_agent/loop.py` call it.

    `judge` and `imitate` are called once a batch, with tensors on the device. With `together`, images are judged by
    comparing them: the images of a split are then judged in one call.
    """

    together: ClassVar[bool] = False

    def attend(self, dataflow: Dataflow) -> None:
        """Look at the data set; called once, before all else. By default nothing is remembered."""

    def outputs(self, classes: int) -> int | None:
        """How many numbers the network gives for an image of data with so many classes; None where it is free.

        The `classes` of a search space are the outputs of its networks.
        """
        return classes

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
    group by group, between which scores are safe and a search can be interrupted. The same architecture must get the
    same score whatever was scored before; an evaluator that compares the architectures of a group says so.
    `needs_data` says that images are looked at without a supernet.
    """

    offers: ClassVar[frozenset[Need]] = frozenset({"score"})
    needs_supernet: ClassVar[bool] = False
    needs_data: ClassVar[bool] = False
    chunk: ClassVar[int] = 1

    @abstractmethod
    def prepare(self, inputs: EvaluatorInputs) -> Mapping[str, Any]:
        """Load what scoring needs; facts worth remembering in the result's header are returned."""

    def groups(self, archs: Archs) -> list[list[int]]:
        """The positions of canonical architectures int64 (n, d) that are best scored in one call, each once.

        By default `chunk` at a time. It must depend on the architectures alone.
        """
        return [list(range(i, min(i + self.chunk, len(archs)))) for i in range(0, len(archs), self.chunk)]

    @abstractmethod
    def evaluate(self, archs: Archs) -> list[Score]:
        """Scores of canonical architectures int64 (n, d); failures as `Score.error`, not as exceptions.

        What takes long may call `run.stop_if_asked()` now and then: what was scored in earlier calls is kept.
        """


def check_images(space: SearchSpace, agent: TrainingAgent, dataflow: Dataflow) -> None:
    """Raises UsageError unless the data has the shape and the classes that the space expects."""
    data = dataflow.describe()
    shape, classes = tuple(space.config.input_shape), space.config.classes
    wanted = agent.outputs(len(data.classes))
    if tuple(data.image_shape) != shape or wanted not in (None, classes):
        found = f"{list(data.image_shape)} and {len(data.classes)} classes"
        also = f" and classes: {wanted}" if wanted is not None else ""
        raise UsageError(
            f"the search space expects images {list(shape)} and {classes} classes, '{data.name}' has {found}",
            hint=f"set search_space.input_shape: {list(data.image_shape)}{also}",
        )
