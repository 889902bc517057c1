from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from nascli.component import resolve
from nascli.engine import Engine
from nascli.errors import ConfigError
from nascli.search_strategy.base import Score
from nascli.training_agent.classification import Classification
from nascli.training_agent.judging import Judged
from nascli.training_agent.racing import Racing, Seen, doubt, estimated, given_up
from nascli.training_agent.scorer import Images, Measures, Scorer
from nascli.training_agent.scoring import Replay

from .helpers import flow, fresh, tiny
from .test_supernet_evaluator import inputs, prepared

ENGINE, AGENT = Engine("cpu"), Classification()


def values(*found: float) -> Any:
    return np.array(found, dtype=np.float64)


@given(st.integers(1, 60), st.integers(0, 60), st.integers(0, 40))
def test_the_bound_is_above_the_exact_tail_of_the_sign_test(better: int, worse: int, alike: int) -> None:
    found = doubt(values(*[1] * better, *[-1] * worse, *[0] * alike))
    exact = binom.sf(better - 1, better + worse, 0.5)
    assert exact <= found * (1 + 1e-9)
    assert found == 1 or better > worse
    if better > 3 * worse + 10:
        assert found < 30 * exact + 1e-12


def test_images_on_which_both_do_alike_say_nothing() -> None:
    some = values(1, 1, 1, -1, 0.5)
    assert doubt(some) == doubt(np.concatenate([some, np.zeros(1000)]))
    assert doubt(np.zeros(5)) == 1
    assert doubt(values(1, 1, 1)) == pytest.approx(1 / 8)


def correct(rng: np.random.Generator, chances: Any, images: int) -> Any:
    """Right or wrong for each image, which are hard for all or easy for all."""
    hardness = rng.random(images)
    return (hardness[None] ** 2 < np.asarray(chances)[:, None] + rng.normal(0, 0.15, (len(chances), images))).astype(
        np.float64
    )


def raced(scores: Any, racing: Racing) -> tuple[set[int], int]:
    """Who is given up, and how many images were looked at."""
    running, step, spent = set(range(len(scores))), -(-scores.shape[1] // racing.rounds), 0
    for end in range(step, scores.shape[1] + step, step):
        spent += sum(min(end, scores.shape[1]) - (end - step) for _ in running)
        if end < scores.shape[1]:
            running -= given_up({row: scores[row, :end] for row in running}, len(scores), racing)
    return set(range(len(scores))) - running, spent


@pytest.mark.parametrize("spread", [0.0, 0.01, 0.1])
def test_the_best_are_given_up_no_more_often_than_the_risk_says(spread: float) -> None:
    rng, racing, lost = np.random.default_rng(0), Racing(risk=0.1, keep=3, rounds=8), 0
    for _ in range(60):
        scores = correct(rng, 0.5 + spread * rng.standard_normal(12), 400)
        best = np.argsort(-scores.mean(1), kind="stable")[:3]
        lost += bool(raced(scores, racing)[0] & set(best.tolist()))
    assert lost / 60 <= 0.1


def test_the_risk_is_shared_out_over_every_pair_that_may_be_mistaken() -> None:
    racing, everyone, ahead = Racing(risk=0.1, keep=10, rounds=2), 16, np.ones(8)
    scores = {row: np.zeros(8) if row == 15 else ahead for row in range(everyone)}
    assert racing.risk / (10 * 6) < doubt(ahead) < racing.risk / 15
    assert given_up(scores, everyone, racing) == set()
    assert given_up({row: np.tile(values, 2) for row, values in scores.items()}, everyone, racing) == {15}


def test_much_worse_ones_are_given_up_early_and_images_are_saved() -> None:
    rng, racing = np.random.default_rng(1), Racing(risk=0.05, keep=2, rounds=8)
    scores = correct(rng, [0.8, 0.79, 0.78, *[0.3] * 9], 800)
    lost, spent = raced(scores, racing)
    assert lost == set(range(3, 12))
    assert spent < 0.6 * scores.size


def test_as_many_as_are_to_be_kept_never_race() -> None:
    scores = {row: np.full(1000, float(row == 0)) for row in range(5)}
    assert given_up(scores, 5, Racing(risk=0.5, keep=5)) == set()
    assert given_up(scores, 5, Racing(risk=0.5, keep=1)) == {1, 2, 3, 4}


def test_an_estimate_is_corrected_by_how_hard_the_images_were_for_the_survivors() -> None:
    survivor = Seen(values(1, 1, 0, 0), values(1, 1, 2, 2))
    found = estimated(Seen(values(1, 0), values(1, 3)), [survivor, survivor], 1)
    assert found == Score(0.0, 2.5, 2)
    assert estimated(Seen(values(1, 0.5), values(1, 3)), [survivor], 1).accuracy == pytest.approx(0.25)


def test_an_estimate_is_below_those_that_it_was_given_up_for() -> None:
    survivors = [Seen(values(1, 0, 1), values(1, 1, 1)), Seen(values(0, 0, 1), values(1, 1, 1))]
    found = estimated(Seen(values(1, 1), values(1, 1)), survivors, 2)
    assert 1 / 3 - 1e-12 < found.accuracy < 1 / 3


def scorer(measures: Measures | None = None) -> Scorer:
    data = flow(train_images=300, valid_share=0.5, batch_size=16)
    replays = (Replay(data, split, ENGINE, limit=n, seed=0) for split, n in (("train", 64), ("valid", 150)))
    return Scorer(fresh(tiny().supernet), tiny().space, Images(*replays), AGENT, ENGINE, measures or Measures())


ARCHS = np.array([[1, 0, 4, 2, 3, 0], [1, 0, 4, 2, 3, 1], [3, 0, 4, 1, 3, 1], [2, 2, 2, 1, 3, 1]])


def biased(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fourth architecture to be judged is always wrong, the others are always right."""
    add = Judged.add
    known: list[Judged] = []

    def adding(self: Judged, *told: Any) -> None:
        if self not in known:
            known.append(self)
        add(self, *told)
        self.scores[-1].fill_(float(known.index(self) != 3))

    monkeypatch.setattr(Judged, "add", adding)


@pytest.mark.parametrize("tree", ["on", "off"])
def test_a_race_judges_losers_on_fewer_images(monkeypatch: pytest.MonkeyPatch, tree: Any) -> None:
    biased(monkeypatch)
    found = scorer(Measures(prefix_tree=tree)).race(ARCHS, Racing(risk=0.1, keep=3, rounds=5))
    assert sorted(score.images for score in found) == [32, 150, 150, 150]
    assert sorted(score.accuracy for score in found) == [0, 1, 1, 1]


def test_who_is_not_given_up_has_the_score_of_all_images() -> None:
    racing = Racing(risk=1e-9, keep=1, rounds=5)
    alone = [scorer().score(arch[None])[0] for arch in ARCHS]
    assert scorer().race(ARCHS, racing) == alone
    assert scorer(Measures(prefix_tree="on", activations_mb=1)).race(ARCHS, racing) == alone


def test_a_race_in_which_all_are_broken_gives_errors() -> None:
    made = scorer()
    for p in made._supernet.parameters():
        p.data.fill_(math.nan)
    assert {score.error for score in made.race(ARCHS, Racing(risk=0.1, keep=1))} == {"the loss is not finite"}


def test_an_evaluator_races_the_whole_population_and_says_what_it_spent(tmp_path: Path) -> None:
    made = prepared(tmp_path, racing={"risk": 0.1, "keep": 2})
    assert made.groups(ARCHS) == [[0, 1, 2, 3]]
    scores = made.evaluate(ARCHS)
    (line,) = [json.loads(line) for line in (tmp_path / "arch.npy.run/log.jsonl").read_text().splitlines()]
    assert line.items() >= {"event": "race", "architectures": 4, "risk": 0.1, "of": 48}.items()
    assert line["images"] == sum(score.images for score in scores)
    assert made.prepare(inputs(tmp_path)) == {"racing": {"risk": 0.1, "keep": 2, "rounds": 8}}
    assert prepared(tmp_path).prepare(inputs(tmp_path)) == {}


@pytest.mark.parametrize("options", [{"risk": 1.0}, {"keep": 0}, {"rounds": 1}, {"risc": 0.1}])
def test_wrong_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        resolve("evaluator", {"use": "supernet", "racing": options})
