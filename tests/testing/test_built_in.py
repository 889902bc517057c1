"""The built-in components keep what is asked of users' own."""

from __future__ import annotations

import json
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nascli.component import installed, resolve
from nascli.cost.latency import Latency
from nascli.cost.macs import Macs
from nascli.cost.params import Params
from nascli.search_space.blocks.build import BUILDERS
from nascli.search_space.tiny import Tiny
from nascli.search_strategy.differentiable import Differentiable
from nascli.search_strategy.evolution import Evolution
from nascli.search_strategy.generator import Generator
from nascli.search_strategy.local_search import LocalSearch
from nascli.search_strategy.optuna import Optuna
from nascli.search_strategy.pareto import Pareto
from nascli.search_strategy.random import Random
from nascli.search_strategy.regularized_evolution import RegularizedEvolution
from nascli.search_strategy.tuned import Tuned
from nascli.testing import (
    BlockContract,
    CriterionContract,
    DataflowContract,
    EvaluatorContract,
    MeterContract,
    SearchSpaceContract,
    SearchStrategyContract,
    TrainingAgentContract,
    TrainingStrategyContract,
)
from nascli.training_agent.classification import Classification
from nascli.training_agent.face_recognition import FaceRecognition
from nascli.training_agent.supernet_evaluator import SupernetEvaluator
from nascli.training_agent.table_evaluator import TableEvaluator
from nascli.training_agent.train_evaluator import TrainEvaluator
from nascli.training_strategy.uniform import Uniform
from tests.dataflow.helpers import write_data_set, write_pictures

CHAIN = {"search": [{"out": 8, "repeat": 2, "stride": 2}], "candidates": [{"op": "skip"}, {"op": "conv", "kernel": 3}]}
SMALL: dict[str, dict[str, Any]] = {
    "tiny": {"width": 4},
    "nasbench201": {"channels": 4, "cells": 1},
    "darts": {"channels": 2, "cells": 3},
    "chain": CHAIN,
}
BLOCKS: dict[str, dict[str, Any]] = {
    "conv": {"kernel": 3},
    "depthwise": {"kernel": 3},
    "separable": {"kernel": 3},
    "mobile": {"kernel": 3, "expansion": 2, "se": True},
    "mixconv": {"kernels": [3, 5], "expansion": 2},
    "shuffle": {"kernel": 3},
    "shuffle_x": {},
    "aspp": {"rates": [1, 2]},
    "skip": {},
    "avg_pool": {"kernel": 3},
    "max_pool": {"kernel": 3},
    "zero": {},
}
ON_EMBEDDINGS = {"angular_softmax", "arcface", "cosface", "triplet"}
FIXED = {"global_average", "global_depthwise", "classifier"}  # no candidates
SAME = {"depthwise", "zero", "avg_pool", "max_pool"}  # cannot change the number of channels


class TestUniform(TrainingStrategyContract):
    make = Uniform


class TestRandom(SearchStrategyContract):
    make = Random


class TestEvolution(SearchStrategyContract):
    def make(self) -> Evolution:
        return Evolution(Evolution.Config(population=4, parents=2))


class TestEvolutionWithAPredictor(SearchStrategyContract):
    def make(self) -> Evolution:
        return Evolution(Evolution.Config(population=4, parents=2, predictor="ridge", oversample=2))


class TestRegularizedEvolution(SearchStrategyContract):
    def make(self) -> RegularizedEvolution:
        return RegularizedEvolution(RegularizedEvolution.Config(population=4, sample=2))


class TestLocalSearch(SearchStrategyContract):
    make = LocalSearch


class TestPareto(SearchStrategyContract):
    make = Pareto


class TestOptuna(SearchStrategyContract):
    def make(self) -> Optuna:
        pytest.importorskip("optuna")
        return Optuna(Optuna.Config(startup=4))


class TestTuned(SearchStrategyContract):
    def make(self) -> Tuned:
        strategy = resolve("search_strategy", {"use": "evolution", "population": 4, "parents": 2})
        return Tuned(Tuned.Config(strategy=strategy, concurrency=3))


class TestDifferentiable(SearchStrategyContract):
    make = Differentiable


class TestDifferentiableOfSeveralAnswers(SearchStrategyContract):
    def make(self) -> Differentiable:
        return Differentiable(Differentiable.Config(answers=3))


class TestGenerator(SearchStrategyContract):
    def make(self) -> Generator:
        return Generator(Generator.Config(steps=3, batch=4, width=8, layers=1, targets=4, priors=2))


class TestClassification(TrainingAgentContract):
    make = Classification


class TestSupernetEvaluator(EvaluatorContract):
    def make(self) -> SupernetEvaluator:
        return SupernetEvaluator(SupernetEvaluator.Config(calibration_images=16))


class TestTrainEvaluator(EvaluatorContract):
    archs = 2

    def make(self) -> TrainEvaluator:
        return TrainEvaluator(TrainEvaluator.Config(epochs=1))


class TestFaceRecognition(TrainingAgentContract):
    classes = ("a", "b", "c", "d")

    def make(self) -> FaceRecognition:
        data, agent = {"use": "generated_faces", "identities": 8, "size": 8}, FaceRecognition()
        agent.check(Tiny(Tiny.Config(input_shape=(3, 8, 8), classes=8)), resolve("dataflow", data).build())
        return agent

    def examples(self) -> tuple[Tensor, Tensor]:
        labels = torch.arange(4).repeat_interleave(6)
        noise = torch.randn(24, 8, generator=torch.Generator().manual_seed(0))
        return torch.eye(8)[labels] + 0.5 * noise, labels


class TestTableEvaluator(EvaluatorContract):
    def make(self) -> TableEvaluator:
        table = {",".join(map(str, arch)): {"mean_acc": float(sum(arch))} for arch in product(range(5), repeat=6)}
        with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
            json.dump(table, file)
        return TableEvaluator(TableEvaluator.Config(path=Path(file.name)))


class TestMacs(MeterContract):
    make = Macs


class TestParams(MeterContract):
    make = Params


class TestLatency(MeterContract):
    def make(self) -> Latency:
        return Latency(Latency.Config(rounds=3, warmup=1))


class TestSpaces(SearchSpaceContract):
    """Of the published ones, one architecture, and no counting of MACs: their own tests do it."""

    @pytest.fixture(autouse=True, params=sorted(installed("search_space")))
    def named(self, request: pytest.FixtureRequest) -> None:
        self.name = request.param
        if self.name not in SMALL:
            self.archs, self.meters = 1, (Params,)

    def make(self) -> Any:
        return resolve("search_space", {"use": self.name, **SMALL.get(self.name, {})}).build()


class TestCriteria(CriterionContract):
    @pytest.fixture(autouse=True, params=sorted(installed("criterion")))
    def named(self, request: pytest.FixtureRequest) -> None:
        self.name = request.param
        self.mixes, self.is_mean = self.name not in ON_EMBEDDINGS, self.name != "triplet"

    def make(self) -> Any:
        return resolve("criterion", self.name).build()


class TestBlocks(BlockContract):
    sizes = ((7, 6),)

    @pytest.fixture(autouse=True, params=sorted(BUILDERS.keys() - FIXED))
    def named(self, request: pytest.FixtureRequest) -> None:
        self.op = request.param
        self.places = ((8, 8, 1), (8, 8, 2)) if self.op in SAME else BlockContract.places

    def make(self, in_channels: int, out_channels: int, stride: int) -> nn.Module:
        return BUILDERS[self.op](in_channels, out_channels, stride, **BLOCKS[self.op])


class TestDataflows(DataflowContract):
    """Those of CIFAR: tests/dataflow/test_cifar.py."""

    @pytest.fixture(autouse=True, params=["digits", "synthetic", "image_folder", "faces", "generated_faces"])
    def named(self, request: pytest.FixtureRequest, tmp_path: Path) -> None:
        self.options = {"use": request.param, "batch_size": 4, "valid_share": 0.3}
        if request.param == "synthetic":
            self.options |= {"train_images": 40, "test_images": 10}
        if request.param == "generated_faces":
            self.options |= {"identities": 8, "test_identities": 3, "pictures": 4, "size": 8}
            self.same_classes = False
        if request.param == "image_folder":
            self.options |= {"path": str(write_data_set(tmp_path / "data"))}
        if request.param == "faces":
            people = {"train": "ab", "val": "cd", "test": "ef"}
            for part, names in people.items():
                write_pictures(tmp_path / "people" / part, dict.fromkeys(names, 8))
            self.options |= {"path": str(tmp_path / "people"), "per_identity": 2}
            self.same_classes = False

    def make(self) -> Any:
        return resolve("dataflow", self.options).build()
