"""Settings that several stages share: where to compute, how to train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field

from nascli.component import Kind, Reference
from nascli.config import Accelerator, Config, Precision, run_option, shared, single
from nascli.run import Run

if TYPE_CHECKING:
    from nascli.engine import Engine
    from nascli.training_agent.base import Setup


def _count(value: object) -> object:
    """The command line gives a number as text."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _several(value: object) -> object:
    """One bound may stand alone."""
    return (value,) if isinstance(value, str) else value


Constraints = Annotated[tuple[str, ...], BeforeValidator(_several)]


class Engines(Config):
    """Where and how exactly to compute."""

    accelerator: Accelerator = run_option("auto", description="where to compute")
    devices: Annotated[Annotated[int, Field(ge=1)] | Literal["auto"], BeforeValidator(_count)] = run_option(
        1, description="processes on each node, a device each; auto: all GPUs, or one CPU"
    )
    num_nodes: int = run_option(1, ge=1, description="machines that run the same command together")
    precision: Annotated[Precision, single("32")] = Field(
        "32", description="precision of forwards and losses; fp32 is 32", json_schema_extra={"shared": True}
    )

    threads: int = run_option(0, ge=0, description="threads of the CPU; 0: as many as torch takes")

    def engine(self) -> Engine:
        """The engine; imports torch."""
        from nascli.engine import Engine

        return Engine(self.accelerator, self.precision, self.threads)


class Task(Engines):
    """The data and the loops that work on it."""

    dataflow: Annotated[Reference, Kind("dataflow")] = shared("digits", description="The data set.")
    training_agent: Annotated[Reference, Kind("training_agent")] = shared(
        "classification", description="The task: how outputs are judged and reported."
    )

    def setup(self, run: Run) -> Setup:
        """The built data and agent of a run.

        Raises:
            ComponentError: an input was made with data or an agent of the user's own, and the settings name none.
        """
        from nascli.training_agent.base import Setup
        from nascli.training_agent.recorded import check_recorded

        check_recorded(self, run.inputs)
        return Setup(self.training_agent.build(), self.dataflow.build(), run)


class Recipe(Config):
    """How weights are updated."""

    criterion: Annotated[Reference, Kind("criterion")] = shared("cross_entropy", description="The loss.")
    epochs: int = Field(30, ge=1, description="how many times the training images are seen")
    optimizer: Literal["sgd", "adamw"] = Field("sgd", description="sgd with Nesterov momentum, or adamw")
    learning_rate: float = Field(0.1, gt=0, description="after warm-up")
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd")
    weight_decay: float = Field(4e-5, ge=0, description="of weights; BatchNorm and biases have none")
    schedule: Literal["cosine", "step", "constant"] = Field("cosine", description="of the learning rate after warm-up")
    step_epochs: int = Field(30, ge=1, description="schedule step: epochs between two falls")
    step_factor: float = Field(0.1, gt=0, lt=1, description="schedule step: factor of a fall")
    warmup_epochs: float = Field(1.0, ge=0, description="epochs in which the learning rate rises linearly")
    clip_grad: float | None = Field(5.0, gt=0, description="largest norm of the gradient; null: not clipped")
    mixup: float = Field(0.0, ge=0, description="alpha of mixup; 0: off (Zhang et al., 2018)")
    cutmix: float = Field(0.0, ge=0, description="alpha of cutmix; 0: off (Yun et al., 2019)")
    ema_decay: float | None = Field(
        None, gt=0, lt=1, description="decay a step of the weights' moving average; null: none"
    )


class Training(Recipe, Task):
    """How weights are trained."""

    seed: int = shared(0, ge=0, description="seed of all random streams")
    distillation: float = Field(1.0, gt=0, description="with --teacher: weight of the loss against its outputs")
    teacher_space: Annotated[Reference, Kind("search_space")] | None = Field(
        None, description="The search space of --teacher, where it is one of your own and not search_space."
    )
    sync_batchnorm: bool = run_option(
        False, description="several devices: BatchNorm by the statistics of the whole batch, not of each device's share"
    )
    tensorboard: bool = run_option(False, description="write curves for TensorBoard beside the log")
    checkpoint_steps: int = run_option(0, ge=0, description="steps between checkpoints; 0: by time alone")
    checkpoint_minutes: float = run_option(2.0, gt=0, description="minutes between checkpoints")
