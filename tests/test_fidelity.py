"""The fidelity campaign: its table is complete and says how it was made, its page shows its files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from nascli.search_strategy.base import Score
from nascli.space import compact
from nascli.training_agent.base import EvaluatorInputs
from nascli.training_agent.table_evaluator import TableEvaluator
from stages.retrain import retrain
from stages.search import search
from stages.train_supernet import train_supernet
from tests.campaigns import fidelity_supernets, fidelity_truth
from tests.campaigns.fidelity_findings import Findings
from tests.campaigns.fidelity_report import DOC, MARKS, page, run_report
from tests.campaigns.fidelity_statistics import reliability_of_halves, reliability_of_seeds
from tests.campaigns.fidelity_supernets import run_supernets
from tests.campaigns.fidelity_truth import (
    DATA,
    SUPERNETS,
    TABLE,
    UNFINISHED,
    architectures,
    changed,
    recipe_of,
    run_truth,
    settings_of,
    space_of,
    table_of,
    train_alone,
)
from tests.conftest import ROOT

SMALL = """
search_space:
  {use: chain, input_shape: [1, 8, 8], classes: 10, first: [{op: conv, out: 4, kernel: 3, stride: 2}],
   search: [{out: 4, repeat: 2}], candidates: [{op: skip}, {op: conv, kernel: 3}]}
dataflow: {use: digits, batch_size: 128, valid_share: 0.5}
accelerator: cpu
threads: 1
retrain: {epochs: 1, splits: [train], ema_decay: null}
train_supernet: {panel: 3, panel_images: 128}
"""


@pytest.fixture(scope="module")
def found() -> Findings:
    return Findings.read(DATA)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A campaign of seconds: 4 architectures, an epoch each."""
    (tmp_path / "small.yaml").write_text(SMALL)
    monkeypatch.setattr(fidelity_truth, "YAML", tmp_path / "small.yaml")
    short = {
        name: (f"training_strategy={name}", "epochs=5", "panel_epochs=1") for name in fidelity_supernets.STRATEGIES
    }
    monkeypatch.setattr(fidelity_supernets, "STRATEGIES", short)
    return tmp_path


def test_every_architecture_was_trained_alone_by_every_seed(found: Findings) -> None:
    space = space_of(settings_of(retrain))
    assert list(found.table) == [compact(arch) for arch in architectures(space)]
    assert len(found.recipe["seeds"]) >= 5
    assert found.nll.shape == found.errors.shape == (space.space.count, len(found.recipe["seeds"]))


def test_means_and_costs_of_the_table_are_what_they_are_now(found: Findings) -> None:
    space, seeds = space_of(settings_of(retrain)), found.recipe["seeds"]
    done = [
        fidelity_truth.Done(arch, seed, entry["valid_nll"][seed], entry["valid_acc"][seed] / 100)
        for arch, entry in found.table.items()
        for seed in seeds
    ]
    for arch, entry in table_of(space, architectures(space), done, len(seeds)).items():
        stored = found.table[arch]
        assert entry.keys() == stored.keys()
        for field, value in entry.items():
            assert np.array(value) == pytest.approx(np.array(stored[field]), abs=2e-4), (arch, field)


@pytest.mark.parametrize(("file", "stage"), [(TABLE, retrain), (SUPERNETS, train_supernet)])
def test_the_recipe_still_holds(file: str, stage: object) -> None:
    """Options that came later do not count; what was measured on is in the fingerprints."""
    recipe = json.loads((DATA / file).read_text())["recipe"]
    now = recipe_of(settings_of(stage), len(recipe["seeds"]))
    kept = {key: recipe[key] for key in ("config", "data", "space", "seeds")}
    assert changed(kept, now) == []


def test_the_supernets_were_trained_as_the_campaign_says() -> None:
    recipe = json.loads((DATA / SUPERNETS).read_text())["recipe"]
    assert recipe["strategies"] == {name: list(words) for name, words in fidelity_supernets.STRATEGIES.items()}


def test_a_recipe_tells_what_has_changed() -> None:
    then = {"config": {"epochs": 30, "criterion": {"use": "mse"}}, "seeds": [0]}
    assert changed(then, {"config": {"epochs": 30, "criterion": {"use": "mse"}, "new": 1}, "seeds": [0]}) == []
    assert changed(then, {"config": {"epochs": 20, "criterion": {}}, "seeds": [0]}) == [
        "config.epochs",
        "config.criterion.use",
    ]


def test_every_supernet_scored_every_architecture(found: Findings) -> None:
    assert {"uniform", "fair", "differentiable"} <= found.supernets.keys()
    for ones in found.supernets.values():
        assert len(ones) >= 5
        assert all(list(one["scores"]) == list(found.table) for one in ones)


def test_the_truth_is_reliable(found: Findings) -> None:
    assert min(reliability_of_seeds(found.nll), reliability_of_halves(found.nll)) >= 0.8


def test_the_page_shows_what_the_files_say(found: Findings) -> None:
    """All but the intervals, which take long."""
    shown = DOC.read_text().split(MARKS[0])[1].split(MARKS[1])[0]
    assert without_intervals(shown).strip() == without_intervals(page(found, resamples=2)).strip()


def without_intervals(text: str) -> str:
    return re.sub(r" \[[^\]]*\]", "", text)


def test_an_architecture_trained_alone_today_is_like_the_table_says(found: Findings) -> None:
    one = train_alone(settings_of(retrain), architectures(space_of(settings_of(retrain)))[-1], seed=0)
    assert 0.5 < one.nll / found.table[one.arch]["mean_nll"] < 2
    assert abs(100 * one.accuracy - found.table[one.arch]["mean_acc"]) < 5


def test_searches_run_on_the_table(found: Findings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config = settings_of(search)
    evaluator: TableEvaluator = config.evaluator.build()
    evaluator.prepare(EvaluatorInputs(None, None, config, None))  # type: ignore[arg-type]
    archs = architectures(space_of(settings_of(retrain)))
    scores: list[Score] = evaluator.evaluate(archs)
    best = max(range(len(archs)), key=lambda i: scores[i].accuracy)
    assert compact(archs[best]) == min(found.table, key=lambda arch: float(found.table[arch]["mean_nll"]))


def test_a_truth_that_was_stopped_goes_on_to_the_same_table(small: Path) -> None:
    for name in ("whole", "cut"):
        (small / name).mkdir()
    assert run_truth(small / "whole", small / "whole", 2, minutes=1e9) == 0
    assert run_truth(small / "cut", small / "cut", 2, minutes=0) == UNFINISHED
    log = (small / "whole" / "truth.jsonl").read_text()
    (small / "cut" / "truth.jsonl").write_text(log[: len(log) // 2])
    assert run_truth(small / "cut", small / "cut", 2, minutes=1e9) == 0
    assert (small / "cut" / TABLE).read_text() == (small / "whole" / TABLE).read_text()


def test_a_folder_with_trainings_of_another_recipe_is_refused(small: Path) -> None:
    (small / "run").mkdir()
    run_truth(small / "run", small / "run", 2, minutes=0)
    (small / "small.yaml").write_text(SMALL.replace("epochs: 1,", "epochs: 2,"))
    with pytest.raises(SystemExit, match="another recipe"):
        run_truth(small / "run", small / "run", 2, minutes=0)


def test_a_small_campaign_ends_in_a_page(small: Path) -> None:
    doc = small / "page.md"
    doc.write_text(f"before\n{MARKS[0]}\nold\n{MARKS[1]}\nafter\n")
    assert run_supernets(small, small, 2, minutes=0) == UNFINISHED
    assert run_truth(small, small, 4, minutes=1e9) == run_supernets(small, small, 2, minutes=1e9) == 0
    assert run_report(small, doc, resamples=4) == 0
    text = doc.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    for name in ("uniform", "fair", "differentiable", "differentiable, its probabilities", "MACs"):
        assert f"\n| {name} |" in text
