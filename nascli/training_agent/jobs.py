"""Retraining a network, and evaluating it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from nascli.artifacts.base import same_data
from nascli.artifacts.formats import using
from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.mistakes import Mistaken
from nascli.artifacts.model import Model, TrainedModel
from nascli.artifacts.reported import Reported
from nascli.artifacts.supernet import SupernetCheckpoint
from nascli.console import out
from nascli.cost.latency import Latency
from nascli.cost.macs import Macs
from nascli.cost.params import Params
from nascli.engine import Engine
from nascli.errors import UsageError
from nascli.ranks import dealt
from nascli.search_space.base import SearchSpace, trained_network
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
        with using(init.path):
            module.load_state_dict(space.inherit(init.payload.state_dict, arch))
    taught = teacher.network(setup) if teacher else None
    trainer = Trainer(module, Plain(), setup, options, split=splits, teacher=taught, outputs=space.config.classes)
    mean, std = setup.dataflow.normalisation
    summary = trainer.fit() | {"normalisation": {"mean": list(mean), "std": list(std)}}
    return TrainedModel(tuple(arch), trainer.result().state_dict()), summary


def evaluate(space: SearchSpace, setup: Setup, engines: Engines, model: Model, lut: LookupTable | None) -> Reported:
    """The test metrics, the exact costs, and the measured latency beside what a table predicts.

    Processes share the images; on all but the first, what is returned is empty.
    """
    same_data(setup.dataflow.describe(), model.header.data, "--model")
    setup.agent.check(space, setup.dataflow)
    arch, engine = model.payload.arch, engines.engine()
    network = trained_network(space, model).eval()
    shape = tuple(space.config.input_shape)
    costs = {"macs": Macs().measure(network, shape), "params": Params().measure(network, shape)}
    placed = engine.place(network)
    ranks = setup.run.ranks
    batches = setup.dataflow.batches("test", train=False, device=engine.device, channels_last=True, ranks=ranks)
    parts = dealt(ranks.gather(predict(placed, batches, engine)))
    if not ranks.is_first:
        return Reported({})
    outputs, labels = (torch.cat(part) for part in zip(*parts, strict=True))
    report = setup.agent.report(outputs, labels, setup.dataflow.describe().classes)
    report |= {"architecture": list(arch), **costs}
    if lut is not None:
        report["table"] = _predicted(space, lut, arch)
    return Reported(report, _latency(network.cpu(), shape, lut))


def mistakes(setup: Setup, report: Mapping[str, Any]) -> Mistaken | None:
    """The images of the mistakes that a report tells; None where it tells of none in particular."""
    import numpy as np

    told = report.get("mistakes")
    if not isinstance(told, list) or not all(isinstance(item, Mapping) and "image" in item for item in told):
        return None
    places = [int(item["image"]) for item in told]
    return Mistaken(setup.dataflow.pixels("test", places), np.array(places, dtype=np.int64))


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
