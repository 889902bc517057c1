"""`nascli evaluate`: how the retrained network does on the test set."""

from __future__ import annotations

from typing import Annotated

from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.model import Model
from nascli.artifacts.report import Report
from nascli.component import Kind, Reference
from nascli.config import shared
from nascli.run import Run
from nascli.stage import stage
from nascli.training_agent.settings import Engines


class EvaluateConfig(Engines):
    """Settings of `evaluate`."""

    search_space: Annotated[Reference, Kind("search_space")] | None = shared(None, description="What can be searched.")
    dataflow: Annotated[Reference, Kind("dataflow")] = shared("digits", description="The data set.")
    training_agent: Annotated[Reference, Kind("training_agent")] = shared(
        "classification", description="The task's loops."
    )
    criterion: Annotated[Reference, Kind("criterion")] = shared("cross_entropy", description="The loss.")


@stage(
    "evaluate",
    examples=[
        "nascli evaluate -c examples/quickstart.yaml --model model.pt -o report.json",
        "nascli evaluate -c examples/quickstart.yaml --model model.pt --lut lut.h5 --json -o report.json --force",
    ],
)
def evaluate(config: EvaluateConfig, run: Run, model: Model, lut: LookupTable | None) -> Report:
    """Evaluate a retrained network on the test set, which no other stage touches."""
    from nascli.search_space.base import realise
    from nascli.training_agent.base import Setup
    from nascli.training_agent.jobs import evaluate

    records = {role: artifact.space for role, artifact in (("model", model), ("lut", lut)) if artifact}
    space, record = realise(config.search_space, records)
    setup = Setup(config.training_agent.build(), config.dataflow.build(), config.criterion, run)
    found = evaluate(space, setup, config, model, lut)
    return Report(found, space=record, data=setup.dataflow.describe())
