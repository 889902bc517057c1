"""`nascli evaluate`: how the retrained network does on the test set."""

from __future__ import annotations

from typing import Annotated

from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.mistakes import Mistakes
from nascli.artifacts.model import Model
from nascli.artifacts.report import Report
from nascli.component import Kind, Reference
from nascli.config import shared
from nascli.run import Run
from nascli.stage import stage
from nascli.training_agent.settings import Task


class EvaluateConfig(Task):
    """Settings of `evaluate`."""

    search_space: Annotated[Reference, Kind("search_space")] | None = shared(None, description="What can be searched.")


@stage(
    "evaluate",
    examples=[
        "nascli evaluate -c examples/quickstart.yaml --model model.pt -o report.json",
        "nascli evaluate -c examples/quickstart.yaml --model model.pt --lut lut.h5 --json -o report.json --force",
    ],
    sides=[".mistakes.h5"],
)
def evaluate(config: EvaluateConfig, run: Run, model: Model, lut: LookupTable | None) -> Report:
    """Evaluate a retrained network on the test set, which no other stage touches."""
    from nascli.search_space.base import realise
    from nascli.training_agent.jobs import evaluate, mistakes

    records = {role: artifact.space for role, artifact in (("model", model), ("lut", lut)) if artifact}
    space, record = realise(config.search_space, records)
    setup = config.setup(run)
    found, data = evaluate(space, setup, config, model, lut), setup.dataflow.describe()
    wrong = mistakes(setup, found.report)
    if wrong is not None:
        run.save("mistakes", Mistakes(wrong, space=record, data=data))
    return Report(found, space=record, data=data, conventions=setup.agent.conventions)
