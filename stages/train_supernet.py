"""`nascli train-supernet`: train the shared weights."""

from __future__ import annotations

from typing import Annotated

from nascli.artifacts.supernet import SupernetCheckpoint
from nascli.component import Kind, Reference
from nascli.config import option, shared
from nascli.run import Run
from nascli.stage import stage
from nascli.training_agent.settings import Training


class TrainSupernetConfig(Training):
    """Settings of `train-supernet`."""

    search_space: Annotated[Reference, Kind("search_space")] = shared("tiny", description="What can be searched.")
    training_strategy: Annotated[Reference, Kind("training_strategy")] = option(
        "uniform", description="What a training step updates."
    )


@stage(
    "train-supernet",
    examples=[
        "nascli train-supernet -c examples/quickstart.yaml -o supernet.pt",
        "nascli train-supernet -c examples/quickstart.yaml --epochs 2 --seed 1 -o supernet.pt --force",
    ],
)
def train_supernet(config: TrainSupernetConfig, run: Run) -> SupernetCheckpoint:
    """Train a supernet: all architectures of a search space at once, sharing their weights."""
    from nascli.search_space.base import record_of
    from nascli.training_agent.jobs import train_supernet

    space = config.search_space.build()
    setup = config.setup(run)
    trained, summary = train_supernet(space, config.training_strategy.build(), setup, config)
    record = record_of(config.search_space, space.space)
    return SupernetCheckpoint(trained, space=record, data=setup.dataflow.describe(), summary=summary)
