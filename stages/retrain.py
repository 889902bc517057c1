"""`nascli retrain`: train the chosen architecture as a network of its own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.model import Model
from nascli.artifacts.supernet import SupernetCheckpoint
from nascli.component import Kind, Reference
from nascli.config import shared
from nascli.errors import UsageError
from nascli.run import Run
from nascli.stage import stage
from nascli.training_agent.settings import Training


class RetrainConfig(Training):
    """Settings of `retrain`."""

    search_space: Annotated[Reference, Kind("search_space")] | None = shared(None, description="What can be searched.")
    criterion: Annotated[Reference, Kind("criterion")] = shared(
        {"use": "cross_entropy", "label_smoothing": 0.1}, description="The loss."
    )
    ema_decay: float | None = Field(
        0.99, gt=0, lt=1, description="decay a step of the weights' moving average; null: none"
    )
    splits: tuple[Literal["train", "valid"], ...] = Field(("train", "valid"), description="what is trained on")


@stage(
    "retrain",
    examples=[
        "nascli retrain -c examples/quickstart.yaml --arch arch.npy -o model.pt",
        "nascli retrain -c examples/quickstart.yaml --arch 1,0,2,0,3,1 --init supernet.pt -o model.pt --force",
    ],
)
def retrain(
    config: RetrainConfig, run: Run, arch: Architecture, init: SupernetCheckpoint | None, teacher: Model | None
) -> Model:
    """Train one architecture from scratch, or from the weights it inherits from a supernet; perhaps from a teacher."""
    from nascli.search_space.base import realise
    from nascli.training_agent.jobs import retrain
    from nascli.training_agent.teaching import taught_by

    records = {} if arch.is_external else {"arch": arch.space}
    if init is not None:
        records["init"] = init.space
    if not records and config.search_space is None:
        raise UsageError("this architecture names no search space", hint="name it: --search-space NAME")
    space, record = realise(config.search_space, records)
    chosen = arch.adopt(record) if arch.is_external else arch
    run.inputs["arch"] = chosen.header.as_input()
    setup = config.setup(run)
    told, taught = chosen.payload.arch, taught_by(teacher, config.search_space, config.teacher_space)
    trained, summary = retrain(space, told, setup, config, splits=config.splits, init=init, teacher=taught)
    facts = {"architecture": list(chosen.payload.arch)}
    return Model(trained, space=record, data=setup.dataflow.describe(), summary=summary | facts)
