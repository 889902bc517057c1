from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from nascli.search_strategy.base import Score
from nascli.search_strategy.evolution import Evolution
from nascli.search_strategy.predictor import LEAST, Ridge, Screen

from .helpers import additive, toy

TABLES = [[0, 3, 1, 7], [2, 0, 5, 4], [1, 6, 0, 2], [0, 2, 4, 6]]


def learned(kind: Literal["ridge", "mlp"], folder: Path, n: int = 60) -> tuple[Screen, np.ndarray, np.ndarray]:
    space, formula = toy(folder, TABLES).model.space, additive(TABLES)
    archs = np.random.default_rng(0).integers(0, 4, size=(200, 4))
    screen = Screen(space, kind, np.random.default_rng(1))
    screen.learn(archs[:n], [formula(arch) for arch in archs[:n]])
    return screen, archs[n:], np.array([formula(arch).accuracy for arch in archs[n:]])


@pytest.mark.parametrize("kind", ["ridge", "mlp"])
def test_additive_scores_are_learned_from_a_few(tmp_path: Path, kind: Literal["ridge", "mlp"]) -> None:
    screen, others, truth = learned(kind, tmp_path)
    assert np.corrcoef(screen.predict(others), truth)[0, 1] > 0.9
    tau = screen.facts()["tau"]
    assert tau is not None
    assert tau > 0.6


@pytest.mark.parametrize("kind", ["ridge", "mlp"])
def test_predictions_are_a_function_of_the_scores(tmp_path: Path, kind: Literal["ridge", "mlp"]) -> None:
    first, others, _ = learned(kind, tmp_path)
    second, _, _ = learned(kind, tmp_path)
    assert (first.predict(others) == second.predict(others)).all()


def test_scores_that_say_nothing_have_no_tau_to_speak_of(tmp_path: Path) -> None:
    space = toy(tmp_path, TABLES).model.space
    rng = np.random.default_rng(2)
    archs = rng.integers(0, 4, size=(120, 4))
    screen = Screen(space, "ridge", rng)
    screen.learn(archs, [Score(float(rng.random()), 0.0, 1) for _ in archs])
    assert abs(screen.facts()["tau"] or 0.0) < 0.3


def test_few_scores_are_not_predicted_from(tmp_path: Path) -> None:
    screen, _, _ = learned("ridge", tmp_path, n=LEAST // 2)
    assert not screen.ready
    assert screen.facts()["tau"] is None


def test_the_penalty_has_the_least_error_when_rows_are_left_out() -> None:
    """Against leaving out each row for real."""
    rng = np.random.default_rng(3)
    features, targets = rng.normal(size=(20, 3)), rng.normal(size=20)
    ridge = Ridge()
    ridge.fit(features, targets)
    centred = features - features.mean(0)
    found = []
    for alpha in np.logspace(-2, 3, 11):
        errors = []
        hat = centred @ np.linalg.inv(centred.T @ centred + alpha * np.eye(3)) @ centred.T + 1 / 20
        errors = (targets - hat @ targets) / (1 - np.diag(hat))
        weights = np.linalg.solve(centred.T @ centred + alpha * np.eye(3), centred.T @ targets)
        found.append((float(np.mean(errors**2)), weights))
    best = min(found, key=lambda pair: pair[0])[1]
    np.testing.assert_allclose(ridge._weights, best, rtol=1e-6, atol=1e-9)


def test_screened_offspring_are_better_than_unscreened_ones(tmp_path: Path) -> None:
    tables = [list(map(int, np.random.default_rng(i).permutation(9))) for i in range(10)]
    best = {}
    for predictor in (None, "ridge"):
        results = []
        for seed in range(4):
            parts = toy(tmp_path, tables, evaluations=90)
            strategy = Evolution(Evolution.Config(population=10, parents=5, predictor=predictor))
            strategy.search(parts.problem(), np.random.default_rng(seed))
            results.append(max(additive(tables)(np.array(arch)).accuracy for arch in parts.evaluator.seen))
        best[predictor] = np.mean(results)
    assert best["ridge"] > best[None]
