"""Tasks of one's own in one file: their parts keep the contracts, and the whole chain runs with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import maximum_filter, minimum_filter
from torch import Tensor

from nascli.artifacts.report import Report
from nascli.cli import run
from nascli.component import find_class
from nascli.cost.constraint import Constraint
from nascli.cost.feasible import FeasibleSet
from nascli.cost.macs import Macs
from nascli.document import read_document
from nascli.search_space.base import SearchSpace
from nascli.testing import CriterionContract, DataflowContract, SearchSpaceContract, TrainingAgentContract
from tests.conftest import ROOT

EXAMPLES = ROOT / "examples"


def named(kind: str, file: str, name: str, **options: Any) -> Any:
    found = find_class(kind, f"{EXAMPLES}/{file}.py:{name}")
    return found(found.Config(**options))


def outputs(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


class TestScenes(DataflowContract):
    def make(self) -> Any:
        return named("dataflow", "multi_label", "Scenes", train_images=40, test_images=8, batch_size=8)


class TestMultiLabel(TrainingAgentContract):
    def make(self) -> Any:
        return named("training_agent", "multi_label", "MultiLabel")

    def examples(self) -> tuple[Tensor, Tensor]:
        return outputs(6, 4), (outputs(6, 4).roll(1, 0) > 0).float()


class TestBinaryFocal(CriterionContract):
    def make(self) -> Any:
        return named("criterion", "multi_label", "BinaryFocal")

    def examples(self) -> tuple[Tensor, Tensor]:
        return outputs(6, 4), (outputs(6, 4).roll(1, 0) > 0).float()


class TestShapes(DataflowContract):
    def make(self) -> Any:
        return named("dataflow", "segmentation", "Shapes", train_images=40, test_images=8, batch_size=8)


class TestSegmentation(TrainingAgentContract):
    def make(self) -> Any:
        return named("training_agent", "segmentation", "Segmentation")

    def examples(self) -> tuple[Tensor, Tensor]:
        labels = torch.arange(6 * 64).view(6, 8, 8) % 4
        labels[0, :2] = -100
        return outputs(6, 4, 8, 8), labels


class TestEncoderDecoder(SearchSpaceContract):
    def make(self) -> SearchSpace:
        return named("search_space", "segmentation", "EncoderDecoder", width=4)  # type: ignore[no-any-return]


def test_the_constraint_of_segmentation_leaves_every_bottleneck_a_chance() -> None:
    told = read_document(EXAMPLES / "segmentation.yaml").data
    space = named("search_space", "segmentation", "EncoderDecoder")
    costs = space.lookup_table([Macs()])
    feasible = FeasibleSet(costs, [Constraint.parse(text) for text in told["constraint"]])
    position = [decision.label for decision in space.space.decisions].index("bottleneck")
    candidates = space.space.decisions[position].candidates
    found = feasible.sample(200, np.random.default_rng(0))[:, position]
    assert {candidates[i] for i in found} == set(candidates)
    assert feasible.count.upper < space.space.count


def test_the_middle_of_a_disc_looks_like_that_of_a_square() -> None:
    pictures, labels = named("dataflow", "segmentation", "Shapes").draw("train", 200)
    grey, shape = pictures[:, 0].astype(float), labels.astype(float)
    inside: dict[int, list[float]] = {1: [], 2: []}
    for picture, label in zip(grey, shape, strict=True):
        whole = minimum_filter(label, 5, mode="constant") == maximum_filter(label, 5, mode="constant")
        for kind in inside:
            inside[kind] += picture[whole & (label == kind)].tolist()
    assert np.mean(inside[1]) == pytest.approx(np.mean(inside[2]), abs=1)


@pytest.mark.parametrize("name", ["multi_label", "segmentation"])
def test_the_whole_chain_runs_with_one_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = {
        "dataflow.train_images": 64,
        "dataflow.test_images": 16,
        "dataflow.batch_size": 16,
        "train_supernet.epochs": 1,
        "train_supernet.panel": 2,
        "retrain.epochs": 1,
        "search.max_evaluations": 3,
    }
    common = [
        "-c",
        f"{EXAMPLES}/{name}.yaml",
        "-q",
        *(w for key, value in told.items() for w in ("--set", f"{key}={value}")),
    ]
    assert run(["build-lut", *common, "-o", "lut.h5"]) == 0
    assert run(["train-supernet", *common, "-o", "supernet.pt"]) == 0
    assert run(["search", *common, "--lut", "lut.h5", "--supernet", "supernet.pt", "-o", "arch.npy"]) == 0
    assert run(["retrain", *common, "--arch", "arch.npy", "--init", "supernet.pt", "-o", "model.pt"]) == 0
    assert run(["evaluate", *common, "--model", "model.pt", "--lut", "lut.h5", "-o", "report.json"]) == 0
    report = Report.open(Path("report.json"))
    assert len(report.payload.report["per_class"]) == 4
    assert report.header.conventions.keys() <= report.payload.report.keys()
    assert report.payload.report["macs"] == report.payload.report["table"]["macs"]
