from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nascli.artifacts.supernet import SupernetCheckpoint, TrainedSupernet
from nascli.component import resolve
from nascli.errors import ConfigError, Interrupted, UsageError
from nascli.run import Run
from nascli.search_strategy.base import Score
from nascli.training_agent.base import EvaluatorInputs
from nascli.training_agent.settings import Engines
from nascli.training_agent.supernet_evaluator import SupernetEvaluator

from .helpers import fresh, setup, tiny

ARCHS = np.random.default_rng(0).integers(0, 5, (4, 6))


def inputs(folder: Path, supernet: bool = True) -> EvaluatorInputs:
    weights = SupernetCheckpoint(TrainedSupernet(fresh(tiny().supernet).state_dict())) if supernet else None
    return EvaluatorInputs(tiny(), setup(Run(folder / "arch.npy")), Engines(accelerator="cpu"), weights)


def prepared(folder: Path, **options: Any) -> SupernetEvaluator:
    made = SupernetEvaluator(SupernetEvaluator.Config(**options))
    made.prepare(inputs(folder))
    return made


def test_a_score_does_not_depend_on_what_was_scored_before(tmp_path: Path) -> None:
    alone = [prepared(tmp_path).evaluate(arch[None])[0] for arch in ARCHS]
    together = prepared(tmp_path)
    assert together.evaluate(ARCHS) == alone
    assert together.evaluate(ARCHS[::-1]) == alone[::-1]


def test_scores_are_of_the_whole_validation_split(tmp_path: Path) -> None:
    (found,) = prepared(tmp_path).evaluate(ARCHS[:1])
    assert found.images == 12
    assert found.error is None
    assert 0 <= found.accuracy <= 1


def test_the_number_of_validation_images_can_be_limited(tmp_path: Path) -> None:
    assert [s.images for s in prepared(tmp_path, validation_images=5).evaluate(ARCHS)] == [5] * 4


def test_scores_depend_on_the_calibration_images(tmp_path: Path) -> None:
    few, many = (prepared(tmp_path, calibration_images=n).evaluate(ARCHS) for n in (8, 48))
    assert few != many


def test_broken_weights_are_an_error_and_no_score(tmp_path: Path) -> None:
    state = {name: value * torch.nan for name, value in fresh(tiny().supernet).state_dict().items()}
    given = inputs(tmp_path)
    broken = SupernetCheckpoint(TrainedSupernet(state))
    made = SupernetEvaluator()
    made.prepare(EvaluatorInputs(given.space, given.setup, given.engines, broken))
    (found,) = made.evaluate(ARCHS[:1])
    assert isinstance(found, Score)
    assert found.error == "the loss is not finite"


def test_a_missing_supernet_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs --supernet"):
        SupernetEvaluator().prepare(inputs(tmp_path, supernet=False))


@pytest.mark.parametrize("options", [{"calibration_images": 1}, {"validation_images": 0}])
def test_too_few_images_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        resolve("evaluator", {"use": "supernet", **options})


FAMILY = np.array([[1, 0, 4, 2, 3, 0], [1, 0, 4, 2, 3, 1], [1, 0, 4, 2, 3, 2]])


def test_a_population_with_common_beginnings_is_scored_in_one_call(tmp_path: Path) -> None:
    assert prepared(tmp_path).groups(FAMILY) == [[0, 1, 2]]
    assert prepared(tmp_path, prefix_tree="off").groups(FAMILY) == [[0], [1], [2]]


@pytest.mark.parametrize("options", [{"prefix_tree": "off"}, {"prefix_tree": "on", "activations_mb": 1}])
def test_common_beginnings_change_no_score(tmp_path: Path, options: dict[str, Any]) -> None:
    assert prepared(tmp_path, **options).evaluate(FAMILY) == prepared(tmp_path).evaluate(FAMILY)


@pytest.mark.parametrize("options", [{"channels_last": False}, {"fold": False}])
def test_layout_and_folding_change_rounding_alone(tmp_path: Path, options: dict[str, Any]) -> None:
    pairs = zip(prepared(tmp_path, **options).evaluate(FAMILY), prepared(tmp_path).evaluate(FAMILY), strict=True)
    for plain, fast in pairs:
        assert plain.accuracy == fast.accuracy
        assert plain.loss == pytest.approx(fast.loss, abs=1e-5)


def test_a_search_can_be_interrupted_while_a_population_is_scored(tmp_path: Path) -> None:
    given = inputs(tmp_path)
    made = SupernetEvaluator()
    made.prepare(given)
    given.setup.run.stopping = True
    with pytest.raises(Interrupted):
        made.evaluate(FAMILY)
