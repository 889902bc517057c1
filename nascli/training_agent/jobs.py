"""Retraining a network, and evaluating it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from nascli.artifacts.base import same_data
from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.model import Model, TrainedModel
from nascli.artifacts.report import Evaluation
from nascli.artifacts.supernet import SupernetCheckpoint
from nascli.console import out
from nascli.cost.latency import Latency
from nascli.cost.macs import Macs
from nascli.cost.params import Params
from nascli.engine import Engine
from nascli.errors import UsageError
from nascli.search_space.base import SearchSpace
from nascli.training_agent.base import Setup
from nascli.training_agent.loop import Trainer
from nascli.training_agent.scoring import predict
from nascli.training_agent.searching import costs_of
from nascli.training_agent.settings import Engines, Training
from nascli.training_agent.teaching import Taught
from nascli.training_strategy.base import Pass, TrainingStrategy, Update, Updates

ONE_BUDGET_S = 1.0
"""Seconds for the latency of one network."""


class Plain(TrainingStrategy):
    """One pass of an ordinary network a step."""

    def updates(self, step: int, rng: Any) -> Updates:
        """The module as it stands, on the labels."""
        yield Update([Pass(None)])


def retrain(
    space: SearchSpace,
    arch: Sequence[int],
    setup: Setup,
    options: Training,
    *,
    splits: Sequence[str] = ("train", "valid"),
    init: SupernetCheckpoint | None = None,
    teacher: Taught | None = None,
) -> tuple[TrainedModel, dict[str, Any]]:
    """Train one architecture to a fixed last epoch."""
    setup.agent.check(space, setup.dataflow)
    with Engine("cpu").seeded(setup.run.torch_seed("init")):
        module = space.model(arch)
    if init is not None:
        same_data(setup.dataflow.describe(), init.header.data, "--init")
        module.load_state_dict(space.inherit(init.payload.state_dict, arch))
    taught = teacher.network(setup) if teacher else None
    trainer = Trainer(module, Plain(), setup, options, split=splits, teacher=taught, outputs=space.config.classes)
    mean, std = setup.dataflow.normalisation
    summary = trainer.fit() | {"normalisation": {"mean": list(mean), "std": list(std)}}
    return TrainedModel(tuple(arch), trainer.result().state_dict()), summary


def evaluate(space: SearchSpace, setup: Setup, engines: Engines, model: Model, lut: LookupTable | None) -> Evaluation:
    """The test metrics, the exact costs, and the measured latency beside what a table predicts."""
    same_data(setup.dataflow.describe(), model.header.data, "--model")
    setup.agent.check(space, setup.dataflow)
    trained, engine = model.payload, engines.engine()
    network = space.model(trained.arch)
    network.load_state_dict(trained.state_dict)
    network.eval()
    shape = tuple(space.config.input_shape)
    costs = {"macs": Macs().measure(network, shape), "params": Params().measure(network, shape)}
    placed = engine.place(network)
    batches = setup.dataflow.batches("test", train=False, device=engine.device, channels_last=True)
    outputs, labels = predict(placed, batches, engine)
    report = setup.agent.report(outputs, labels, setup.dataflow.describe().classes)
    report |= {"architecture": list(trained.arch), **costs}
    if lut is not None:
        report["table"] = _predicted(space, lut, trained.arch)
    return Evaluation(report, _latency(network.cpu(), shape, lut))


def _predicted(space: SearchSpace, lut: LookupTable, arch: Sequence[int]) -> dict[str, Any]:
    costs = costs_of(space, lut)
    vector = space.space.check(list(arch))
    return {name: costs.total(name, vector)[0].item() for name in costs.metrics}


def _latency(network: nn.Module, shape: tuple[int, ...], lut: LookupTable | None) -> Mapping[str, Any]:
    """Measured under the conditions of the table, where it has latencies."""
    notes = lut.metrics.get(Latency.metric, {}) if lut is not None else {}
    fields = Latency.Config.model_fields.keys() - {"device", "rounds"}
    conditions = {name: notes[name] for name in fields if name in notes} | {"budget_s": ONE_BUDGET_S}
    meter = Latency(Latency.Config(**conditions))
    try:
        return {Latency.metric: meter.measure(network, shape), **meter.notes()}
    except UsageError as error:
        out.warning(f"the latency is not measured: {error.what}")
        return {}
