from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.model import Model, TrainedModel
from nascli.artifacts.reported import Reported
from nascli.artifacts.supernet import SupernetCheckpoint
from nascli.cost.latency import Latency
from nascli.cost.macs import Macs
from nascli.cost.params import Params
from nascli.cost.table import to_table
from nascli.dataflow.base import Dataflow
from nascli.dataflow.sampling import Pixels
from nascli.dataflow.sources import Part, Source
from nascli.dataflow.synthetic import Synthetic, SyntheticImages
from nascli.errors import Mismatch, UsageError
from nascli.run import Run
from nascli.search_space.base import SearchSpace
from nascli.search_space.tiny import Tiny
from nascli.training_agent.base import EvaluatorInputs, Setup, TrainingAgent
from nascli.training_agent.classification import Classification
from nascli.training_agent.jobs import evaluate, mistakes, retrain
from nascli.training_agent.settings import Engines
from nascli.training_agent.supernet_evaluator import SupernetEvaluator
from nascli.training_agent.supernet_training import train_supernet
from nascli.training_strategy.uniform import Uniform

from .helpers import ARCH, CLASSES, flow, fresh, setup, tiny, training

ENGINES = Engines(accelerator="cpu")


def supernet(folder: Path, data: Dataflow | None = None) -> SupernetCheckpoint:
    trained, _ = train_supernet(tiny(), Uniform(), setup(Run(folder / "s.pt"), data), training(epochs=1))
    return SupernetCheckpoint(trained)


def model(data: Dataflow | None = None) -> Model:
    """A network with fresh weights."""
    state = fresh(lambda: tiny().model(ARCH)).state_dict()
    return Model(TrainedModel(ARCH, state), data=(data or flow()).describe())


def evaluated(folder: Path, given: Model | None = None, lut: LookupTable | None = None) -> Reported:
    return evaluate(tiny(), setup(Run(folder / "report.json")), ENGINES, given or model(), lut)


def retrained(folder: Path, init: SupernetCheckpoint | None, splits: Any = ("train", "valid"), **options: Any) -> Any:
    """The weights that retraining gives; at a rate that moves nothing, unless told otherwise."""
    told = training(**{"epochs": 1, "learning_rate": 1e-30, "weight_decay": 0.0, **options})
    trained, _ = retrain(tiny(), ARCH, setup(Run(folder / "m.pt")), told, splits=splits, init=init)
    return trained.state_dict


def test_retraining_starts_from_inherited_weights_where_a_supernet_is_given(tmp_path: Path) -> None:
    given = supernet(tmp_path)
    state = retrained(tmp_path, given)
    inherited = tiny().inherit(given.payload.state_dict, ARCH)
    for name, _ in tiny().model(ARCH).named_parameters():
        torch.testing.assert_close(state[name], inherited[name], rtol=0, atol=1e-20)


def test_retraining_starts_from_scratch_without_a_supernet(tmp_path: Path) -> None:
    state, given = retrained(tmp_path, None), supernet(tmp_path)
    inherited = tiny().inherit(given.payload.state_dict, ARCH)
    assert not torch.equal(state["first.0.0.weight"], inherited["first.0.0.weight"])


@pytest.mark.parametrize("change", [{"mixup": 0.5}, {"cutmix": 0.5}, {"ema_decay": 0.5}, {"splits": ("train",)}])
def test_every_part_of_the_recipe_changes_the_weights(change: dict[str, Any], tmp_path: Path) -> None:
    states = [retrained(tmp_path, None, learning_rate=0.05, **told) for told in ({}, change)]
    assert any(not torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_a_model_remembers_how_its_images_were_normalised(tmp_path: Path) -> None:
    made = setup(Run(tmp_path / "m.pt"))
    _, summary = retrain(tiny(), ARCH, made, training(epochs=1))
    mean, std = made.dataflow.normalisation
    assert summary["normalisation"] == {"mean": list(mean), "std": list(std)}


def test_images_are_checked_before_training(tmp_path: Path) -> None:
    space = Tiny(Tiny.Config(classes=5))
    with pytest.raises(UsageError, match="expects images"):
        train_supernet(space, Uniform(), setup(Run(tmp_path / "s.pt")), training())
    assert not (tmp_path / "s.pt.run").exists()


def test_an_evaluation_is_of_all_test_images(tmp_path: Path) -> None:
    found = evaluated(tmp_path).report
    network = tiny().model(ARCH)
    network.load_state_dict(model().payload.state_dict)
    batches = list(flow().batches("test", train=False, device="cpu"))
    images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    with torch.no_grad():
        outputs = network.eval()(images)
    assert found["images"] == len(labels) == 12
    assert found["top1"] == (outputs.argmax(1) == labels).double().mean().item()
    assert found["loss"] == pytest.approx(cross_entropy(outputs, labels).item(), rel=1e-5)


def test_the_images_of_mistakes_are_those_that_the_report_tells(tmp_path: Path) -> None:
    parts = setup(Run(tmp_path / "report.json"))
    told = evaluated(tmp_path).report
    found = mistakes(parts, told)
    assert found is not None
    assert len(told["mistakes"]) > 0
    assert found.places.tolist() == [item["image"] for item in told["mistakes"]]
    assert np.array_equal(found.images[0], parts.dataflow.pixels("test", [told["mistakes"][0]["image"]])[0])


@pytest.mark.parametrize("told", [{}, {"mistakes": 3}, {"mistakes": [{"pair": [0, 1]}]}])
def test_a_task_without_mistaken_images_keeps_none(tmp_path: Path, told: dict[str, Any]) -> None:
    assert mistakes(setup(Run(tmp_path / "report.json")), told) is None


def test_an_evaluation_counts_what_the_table_predicts(tmp_path: Path) -> None:
    costs = tiny().lookup_table([Macs(), Params()])
    found = evaluated(tmp_path, lut=LookupTable(to_table(costs))).report
    assert found["architecture"] == list(ARCH)
    assert found["table"] == {"macs": found["macs"], "params": found["params"]}
    assert found["macs"] == costs.total("macs", np.array(ARCH))[0]


def test_latency_is_measured_under_the_conditions_of_the_table(tmp_path: Path) -> None:
    costs = tiny().lookup_table([Latency(Latency.Config(rounds=3, batch=2, budget_s=0.1, networks=0))])
    found = evaluated(tmp_path, lut=LookupTable(to_table(costs)).sealed())
    assert found.measured["latency_ms"] > 0
    assert (found.measured["rounds"] >= 30, found.measured["batch"]) == (True, 2)
    assert "latency_ms" not in found.report


def test_a_model_of_other_data_is_a_mismatch(tmp_path: Path) -> None:
    with pytest.raises(Mismatch, match="--model was made on 'synthetic'"):
        evaluated(tmp_path, model(flow(split_seed=1)))


class Sealed(SyntheticImages):
    """Test images that must not be looked at."""

    def read(self, index: int, view_seed: int | None = None) -> Pixels:
        raise AssertionError("the test images were read")


class Guarded(Synthetic):
    """Its test images are sealed."""

    def source(self, part: Part) -> Source | None:
        return Sealed(self.config, part) if part == "test" else super().source(part)


def test_only_an_evaluation_looks_at_the_test_images(tmp_path: Path) -> None:
    data = Guarded(flow().config)
    trained = supernet(tmp_path, data)
    parts = setup(Run(tmp_path / "m.pt"), data)
    network, _ = retrain(tiny(), ARCH, parts, training(epochs=1), init=trained)
    scorer = SupernetEvaluator()
    scorer.prepare(EvaluatorInputs(tiny(), parts, ENGINES, trained))
    assert scorer.evaluate(np.array([ARCH]))[0].error is None
    with pytest.raises(AssertionError, match="the test images were read"):
        evaluate(tiny(), parts, ENGINES, Model(network, data=data.describe()), None)


class Lenient(Classification):
    """Takes any data."""

    def check(self, space: SearchSpace, dataflow: Dataflow) -> None:
        pass


class Strict(Classification):
    def check(self, space: SearchSpace, dataflow: Dataflow) -> None:
        raise UsageError("this task wants other data")


@pytest.mark.parametrize("job", ["retrain", "train_supernet"])
def test_what_data_fit_is_the_agents_to_say(job: str, tmp_path: Path) -> None:
    def made(agent: TrainingAgent) -> None:
        parts = Setup(agent, flow(classes=CLASSES - 1), Run(tmp_path / "m.pt"))
        if job == "retrain":
            retrain(tiny(), ARCH, parts, training(epochs=1))
        else:
            train_supernet(tiny(), Uniform(), parts, training(epochs=1))

    made(Lenient())
    with pytest.raises(UsageError, match="other data"):
        made(Strict())
