"""`nascli train-supernet`: train the shared weights."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.model import Model
from nascli.artifacts.supernet import SupernetCheckpoint
from nascli.component import Kind, Reference
from nascli.config import option, run_option, shared
from nascli.run import Run
from nascli.stage import stage
from nascli.training_agent.settings import Constraints, Training


class TrainSupernetConfig(Training):
    """Settings of `train-supernet`."""

    search_space: Annotated[Reference, Kind("search_space")] = shared("tiny", description="What can be searched.")
    training_strategy: Annotated[Reference, Kind("training_strategy")] = option(
        "uniform", description="What a training step updates."
    )
    constraint: Constraints = shared((), description="bounds such as 'macs<=30e6'; all of them hold")
    margin: float | None = shared(
        None,
        ge=0,
        description="how far measured costs may be off without breaking a bound, a share; null: the table's error",
    )
    activation_checkpointing: bool = run_option(
        False, description="less memory, slower: candidates keep no activations, the backward computes them again"
    )
    panel: int = Field(8, ge=0, description="architectures whose scores are watched while training; 0: none")
    panel_epochs: int = Field(5, ge=1, description="epochs between two evaluations of the panel")
    panel_images: int = Field(512, ge=2, description="images that re-estimate BatchNorm and, at most, that score it")


@stage(
    "train-supernet",
    examples=[
        "nascli train-supernet -c examples/quickstart.yaml -o supernet.pt",
        "nascli train-supernet -c examples/quickstart.yaml --epochs 2 --seed 1 -o supernet.pt --force",
    ],
)
def train_supernet(
    config: TrainSupernetConfig, run: Run, lut: LookupTable | None, teacher: Model | None
) -> SupernetCheckpoint:
    """Train a supernet: all architectures of a search space at once, sharing their weights."""
    from nascli.cost.constraint import Constraint
    from nascli.search_space.base import realise
    from nascli.training_agent.panel import PanelOptions
    from nascli.training_agent.supernet_training import Plan, train_supernet
    from nascli.training_agent.teaching import taught_by

    space, record = realise(config.search_space, {"lut": lut.space} if lut else {})
    setup = config.setup(run)
    constraints = [Constraint.parse(text) for text in config.constraint]
    panel = PanelOptions(config.panel, config.panel_epochs, config.panel_images) if config.panel else None
    taught = taught_by(teacher, config.search_space, config.teacher_space)
    plan = Plan(lut, constraints, panel, taught, config.margin, config.activation_checkpointing)
    trained, summary = train_supernet(space, config.training_strategy.build(), setup, config, plan)
    return SupernetCheckpoint(trained, space=record, data=setup.dataflow.describe(), summary=summary)
