from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.history import History
from nascli.component import resolve
from nascli.errors import ConfigError, Interrupted, UsageError
from nascli.run import Run
from nascli.search_space.base import record_of
from nascli.search_space.tiny import Tiny
from nascli.training_agent.base import EvaluatorInputs
from nascli.training_agent.searching import Search, run_search
from nascli.training_agent.settings import Engines
from nascli.training_agent.train_evaluator import TrainEvaluator
from tests.conftest import Command

from .helpers import CLASSES, SHAPE, flow, setup, tiny

ARCHS = np.array([[0, 0, 0, 0, 0, 1], [1, 0, 0, 2, 0, 0]])
CONFIG = {"epochs": 1, "learning_rate": 0.05}
SPACE = resolve("search_space", {"use": "tiny", "width": 4, "input_shape": list(SHAPE), "classes": CLASSES})


def prepared(folder: Path, space: Tiny | None = None, seed: int = 0, **options: Any) -> TrainEvaluator:
    made = TrainEvaluator(TrainEvaluator.Config(**{**CONFIG, **options}))
    run = Run(folder / "arch.npy", seed=seed)
    made.prepare(EvaluatorInputs(space or tiny(), setup(run), Engines(accelerator="cpu"), None))
    return made


def test_a_score_depends_on_the_architecture_and_the_seed_of_the_run_alone(tmp_path: Path) -> None:
    first, second = prepared(tmp_path).evaluate(ARCHS)
    assert first != second
    torch.rand(3)
    assert prepared(tmp_path).evaluate(ARCHS[::-1]) == [second, first]
    assert prepared(tmp_path, seed=1).evaluate(ARCHS[:1]) != [first]


def test_scores_are_of_the_validation_split(tmp_path: Path) -> None:
    (whole,) = prepared(tmp_path).evaluate(ARCHS[:1])
    (some,) = prepared(tmp_path, validation_images=5).evaluate(ARCHS[:1])
    assert (whole.images, some.images) == (12, 5)
    assert whole.error is None
    assert 0 <= whole.accuracy <= 1


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    little, more = (prepared(tmp_path, epochs=epochs).evaluate(ARCHS[1:])[0] for epochs in (1, 12))
    assert more.loss < little.loss


def test_the_moving_average_of_the_weights_is_scored_where_it_is_kept(tmp_path: Path) -> None:
    assert prepared(tmp_path, ema_decay=0.9).evaluate(ARCHS[:1]) != prepared(tmp_path).evaluate(ARCHS[:1])


def test_a_training_that_fails_is_an_error_and_no_score(tmp_path: Path) -> None:
    found, _ = prepared(tmp_path, learning_rate=1e30, clip_grad=None).evaluate(ARCHS)
    assert "not finite" in str(found.error)
    assert math.isnan(found.accuracy)
    assert found.images == 0


class Failing(Tiny):
    """Its networks run out of memory."""

    def model(self, arch: Sequence[int]) -> nn.Module:
        raise torch.OutOfMemoryError("out of memory\nmuch detail")


def test_a_network_that_runs_out_of_memory_is_an_error_and_no_score(tmp_path: Path) -> None:
    space = Failing(Failing.Config(input_shape=SHAPE, classes=CLASSES, width=4))
    assert [score.error for score in prepared(tmp_path, space).evaluate(ARCHS)] == ["out of memory"] * 2


def test_data_that_do_not_fit_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expects images"):
        prepared(tmp_path, Tiny(Tiny.Config(input_shape=SHAPE, classes=CLASSES + 1)))


@pytest.mark.parametrize("options", [{"epochs": 0}, {"validation_images": 0}, {"learning_rat": 0.1}])
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        resolve("evaluator", {"use": "train", **options})


def search(folder: Path, run: Run | None = None) -> Architecture:
    here = run or Run(folder / "arch.npy", config={"seed": 0})
    here.start()
    evaluator, strategy = resolve("evaluator", {"use": "train", **CONFIG}), resolve("search_strategy", "random")
    inputs = EvaluatorInputs(SPACE.build(), setup(here), Engines(accelerator="cpu"), None)
    record = record_of(SPACE, SPACE.build().space)
    return run_search(inputs, record, None, Search(strategy, evaluator, [], 3, 1e6))


def test_a_search_records_the_data_that_it_looked_at(tmp_path: Path) -> None:
    found = search(tmp_path)
    assert found.header.data == flow().describe()
    assert len(History.open(tmp_path / "arch.history.h5").payload.archs) == 3


class Impatient(Run):
    """Is asked to stop while a later architecture is trained."""

    calls = 0

    def stop_if_asked(self) -> None:
        self.calls += 1
        self.stopping = self.calls > 8
        super().stop_if_asked()


def test_a_search_that_is_stopped_within_a_training_resumes_after_the_scores_before_it(tmp_path: Path) -> None:
    whole = search(tmp_path / "whole").sealed()
    with pytest.raises(Interrupted):
        search(tmp_path, Impatient(tmp_path / "arch.npy"))
    assert len(History.open(tmp_path / "arch.npy.run/last.h5").payload.archs) == 1
    assert [path.name for path in (tmp_path / "arch.npy.run").glob("last*")] == ["last.h5"]
    resumed = search(tmp_path, Run(tmp_path / "arch.npy", resume=True)).sealed()
    assert resumed.payload == whole.payload
    assert resumed.header.summary == whole.header.summary


def test_no_supernet_is_needed_on_the_command_line(nascli: Command) -> None:
    options = ("search.evaluator.epochs=1", "search.max_evaluations=1", "search.search_strategy=random")
    told = [part for option in options for part in ("--set", option)]
    done = nascli("search", "--search-space", "tiny", "--evaluator", "train", *told, "-o", "arch.npy", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["summary"]["evaluations"] == 1
