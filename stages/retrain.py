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
    mixup: float = Field(0.0, ge=0, description="alpha of mixup; 0: off (Zhang et al., 2018)")
    cutmix: float = Field(0.0, ge=0, description="alpha of cutmix; 0: off (Yun et al., 2019)")
    splits: tuple[Literal["train", "valid"], ...] = Field(("train", "valid"), description="what is trained on")


@stage(
    "retrain",
    examples=[
        "nascli retrain -c examples/quickstart.yaml --arch arch.npy -o model.pt",
        "nascli retrain -c examples/quickstart.yaml --arch 1,0,2,0,3,1 --init supernet.pt -o model.pt --force",
    ],
)
def retrain(config: RetrainConfig, run: Run, arch: Architecture, init: SupernetCheckpoint | None) -> Model:
    """Train one architecture from scratch, or from the weights it inherits from a supernet."""
    from nascli.search_space.base import realise
    from nascli.training_agent.jobs import Recipe, retrain

    records = {} if arch.is_external else {"arch": arch.space}
    if init is not None:
        records["init"] = init.space
    if not records and config.search_space is None:
        raise UsageError("this architecture names no search space", hint="name it: --search-space NAME")
    space, record = realise(config.search_space, records)
    chosen = arch.adopt(record) if arch.is_external else arch
    run.inputs["arch"] = chosen.header.as_input()
    setup = config.setup(run)
    recipe = Recipe(config.splits, config.ema_decay, config.mixup, config.cutmix)
    trained, summary = retrain(space, chosen.payload.arch, setup, config, recipe, init)
    facts = {"architecture": list(chosen.payload.arch)}
    return Model(trained, space=record, data=setup.dataflow.describe(), summary=summary | facts)
