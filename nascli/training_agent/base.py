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
from nascli.training_agent.judging import Account, Judged
from nascli.training_agent.settings import Engines

if TYPE_CHECKING:
    from torch import Tensor

    from nascli.artifacts.supernet import SupernetCheckpoint
    from nascli.search_space.base import SearchSpace
    from nascli.space import Archs, Forward


@dataclass(frozen=True)
class Setup:
    """What a loop works with besides the module: the parts that a stage was told to use."""

    agent: TrainingAgent
    dataflow: Dataflow
    run: Run


class TrainingAgent(Component):
    """What is special to a task: how outputs are judged, imitated and reported. The loops are the same for all.

    What is trained on is the criterion's. Labels are as the data set has them (`dataflow.sources.Source.labels`).
    """

    conventions: ClassVar[Mapping[str, str]] = {}
    """What the numbers of its report count, and their units; kept in the report's header."""

    def check(self, space: SearchSpace, dataflow: Dataflow) -> None:
        """Called once a stage, before any work.

        Raises:
            UsageError: the networks of the space cannot learn this data; by default, when images have another shape
                or the data have another number of classes than the space.
        """
        check_images(space, dataflow)

    @abstractmethod
    def judge(self, outputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """(score, loss) of each image, float (n,) each; scores lie in 0 to 1, higher is better.

        Called for every pass of training and every batch of validation, on the device. The loss is differentiable.

        Args:
            outputs: what the network gave, float (n, …).
            labels: (n, …); of classes int64 (n,), or class probabilities (n, classes) when images were mixed.
        """

    def judged(self) -> Account:
        """A new account of one validation; by default it takes the means of `judge`."""
        return Judged(self)

    @abstractmethod
    def imitate(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        """The distillation loss of `outputs` against a teacher's detached outputs, a scalar.

        Called where a network has a teacher, and where a training strategy lets one pass imitate another.
        """

    @abstractmethod
    def report(self, outputs: Tensor, labels: Tensor, classes: Sequence[str]) -> dict[str, Any]:
        """The evaluation of a whole test set; called once, on the CPU. Plain JSON values.

        A list of mappings with the same keys is shown as a table by `nascli inspect`. Where each of "mistakes" has an
        "image", its place in the test split, these images are kept beside the report.
        """


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

    @property
    def compares(self) -> bool:
        """Whether the scores of a group depend on each other, so that processes cannot share it."""
        return False

    @classmethod
    def offered(cls, supernet: SupernetCheckpoint | None) -> frozenset[Need]:
        """What it offers with this supernet; asked before anything is loaded, so headers alone may be looked at."""
        return cls.offers

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

    def arch_parameters(self) -> Mapping[str, Tensor]:
        """Decision → its architecture parameters, (size,) on the CPU; called after `prepare`."""
        return {}

    def relaxed_loss(self, forward: Forward, call: int) -> Tensor:
        """The loss that `SearchProblem.relaxed_loss` promises, on the batch that belongs to call number `call`."""
        raise UsageError(f"the evaluator {type(self).__name__} gives no gradient")


class NoEvaluator(Evaluator):
    """Stands where nothing can be scored."""

    offers = frozenset()

    def prepare(self, inputs: EvaluatorInputs) -> Mapping[str, Any]:
        """Nothing is loaded."""
        return {}

    def evaluate(self, archs: Archs) -> list[Score]:
        """Refused."""
        raise UsageError("nothing can be scored without --supernet")


def check_images(space: SearchSpace, dataflow: Dataflow, *, outputs_are_classes: bool = True) -> None:
    """Raises UsageError unless the data has the shape, and the classes where they count, that the space expects."""
    data = dataflow.describe()
    shape, classes = tuple(space.config.input_shape), space.config.classes
    wrong = outputs_are_classes and len(data.classes) != classes
    if tuple(data.image_shape) != shape or wrong:
        found = f"{list(data.image_shape)} and {len(data.classes)} classes"
        also = f" and classes: {len(data.classes)}" if outputs_are_classes else ""
        raise UsageError(
            f"the search space expects images {list(shape)} and {classes} classes, '{data.name}' has {found}",
            hint=f"set search_space.input_shape: {list(data.image_shape)}{also}; or name other data: --dataflow or -c",
        )
