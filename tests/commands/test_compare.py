from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import ttest_1samp

from nascli.cli import run
from nascli.commands.inspect import open_any
from nascli.commands.standings import mean_interval, standings
from nascli.commands.views.comparison import tables

SPACE = """
search_space:
  use: chain
  input_shape: [1, 8, 8]
  classes: 10
  search: [{out: 8, repeat: 3}]
  candidates: [{op: skip}, {op: conv, kernel: 1}, {op: conv, kernel: 3}]
"""
MINE = """
import numpy as np
from nascli.search_strategy.base import Outcome, SearchStrategy
class Mine(SearchStrategy):
    "The first few."
    def search(self, problem, rng):
        archs = problem.feasible.sample(2, np.random.default_rng(0))
        problem.score(archs)
        return Outcome(archs)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A space of 27 architectures whose scores are known: higher indices are better, the first decision most."""
    monkeypatch.chdir(tmp_path)
    scores = {"".join(map(str, a)): {"mean_acc": 9 * a[0] + 3 * a[1] + a[2]} for a in product(range(3), repeat=3)}
    (tmp_path / "table.json").write_text(json.dumps(scores))
    (tmp_path / "run.yaml").write_text(
        SPACE + "search: {evaluator: {use: table, path: table.json}, max_evaluations: 6}\n"
    )
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path


def compared(*words: str, code: int = 0) -> None:
    assert run(["compare", "-c", "run.yaml", "-o", "out", *words]) == code


def rows(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    found = json.loads(capsys.readouterr().out)
    return {row["strategy"]: row for row in found["standings"]}


def test_strategies_of_equal_budgets_with_random_among_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evolution = "{use: evolution, population: 3, parents: 2}"
    compared("--strategy", evolution, "--strategy", "./mine.py:Mine", "--seeds", "3", "--json")
    found = rows(capsys)
    assert set(found) == {"evolution", "Mine", "random"}
    assert found["evolution"]["evaluations"] == found["random"]["evaluations"] == 6
    assert found["Mine"]["evaluations"] == 2
    assert found["random"]["advantage"] is None
    assert all(row["seeds"] == 3 for row in found.values())
    runs = open_any(folder / "out" / "compare.json").payload.runs
    assert len(runs) == 9
    for one in runs:
        assert one["score"] == max(one["best_so_far"])
        assert one["best_so_far"] == sorted(one["best_so_far"])


def test_random_is_always_the_one_of_nascli(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "mine.py").write_text(MINE.replace("class Mine", "class random"))
    compared("--strategy", "./mine.py:random", "--seeds", "2", "--json")
    found = rows(capsys)
    assert {name: row["evaluations"] for name, row in found.items()} == {"random-1": 2, "random": 6}
    assert found["random-1"]["advantage"] is not None


def test_a_comparison_that_cannot_be_read_is_refused_before_any_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "out").mkdir()
    (folder / "out/compare.json").write_text("{")
    compared("--strategy", "random", "--seeds", "1", code=3)
    assert "compare.json" in capsys.readouterr().err
    assert [path.name for path in (folder / "out").iterdir()] == ["compare.json"]


def test_what_is_there_is_kept_and_what_changed_is_made_anew(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compared("--strategy", "random", "--seeds", "2", "-q")
    times = {path.name: path.stat().st_mtime_ns for path in (folder / "out").glob("*.npy")}
    digest = open_any(folder / "out" / "compare.json").header.digest
    compared("--strategy", "random", "--seeds", "2", "-q")
    assert {path.name: path.stat().st_mtime_ns for path in (folder / "out").glob("*.npy")} == times
    assert open_any(folder / "out" / "compare.json").header.digest == digest
    assert set(open_any(folder / "out" / "compare.json").payload.measured["seconds"]) == {
        "random-seed0",
        "random-seed1",
    }
    compared("--strategy", "random", "--seeds", "2", "--max-evaluations", "3", "-q")
    assert all(path.stat().st_mtime_ns != times[path.name] for path in (folder / "out").glob("*.npy"))


def test_a_search_without_its_history_is_made_anew(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compared("--strategy", "random", "--seeds", "2", "-q")
    (folder / "out/random-seed1.history.h5").unlink()
    compared("--strategy", "random", "--seeds", "2", "-q")
    assert "random-seed1.history.h5 is missing" in capsys.readouterr().err
    assert (folder / "out/random-seed1.history.h5").exists()


def test_the_winner_is_judged_by_a_truth(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = {key: {"real": 27 - i} for i, key in enumerate(json.loads((folder / "table.json").read_text()))}
    (folder / "truth.json").write_text(json.dumps(truth))
    compared("--strategy", "random", "--seeds", "2", "--truth", "truth.json:real", "--json")
    for one in open_any(folder / "out" / "compare.json").payload.runs:
        key = "".join(map(str, one["architecture"]))
        assert one["score"] == pytest.approx(truth[key]["real"] / 100)
        assert one["rank"] == sum(other["real"] > truth[key]["real"] for other in truth.values()) + 1
    assert rows(capsys)["random"]["rank"] is not None


def test_ranks_are_among_the_architectures_within_the_constraint(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bound = ["--set", "constraint=['macs<=8000']", "--set", "search.max_evaluations=27"]
    compared("--strategy", "random", "--seeds", "1", "--truth", "table.json", "--json", *bound)
    assert rows(capsys)["random"]["rank"] == 1


def test_the_files_own_options_of_a_strategy_hold(folder: Path) -> None:
    text = (folder / "run.yaml").read_text().replace("search: {", "search: {search_strategy: {use: random, batch: 2}, ")
    (folder / "run.yaml").write_text(text)
    compared("--strategy", "evolution", "--seeds", "1", "-q")
    assert open_any(folder / "out" / "random-seed0.npy").header.config["search_strategy"]["batch"] == 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--strategy", "nothing"), 2),
        (("--truth", "nowhere.json"), 2),
        (("--truth", "table.json:no_field"), 2),
        (("--set", "search.nothing=1"), 2),
        (("--supernet", "nowhere.pt"), 3),
        (("--set", "constraint=['macs<=1']"), 4),
    ],
)
def test_what_makes_no_sense(folder: Path, words: tuple[str, ...], code: int) -> None:
    compared("--seeds", "1", *words, code=code)
    assert not (folder / "out" / "compare.json").exists()


def test_a_file_is_no_folder(folder: Path) -> None:
    (folder / "out").write_text("mine")
    compared("--seeds", "1", code=2)
    assert (folder / "out").read_text() == "mine"


def test_a_truth_of_another_space(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "truth.json").write_text(json.dumps({"0101": {"mean_acc": 1.0}}))
    compared("--seeds", "1", "--truth", "truth.json", code=2)
    assert "truth" in capsys.readouterr().err


def test_a_mean_and_students_interval() -> None:
    values = [0.5, 0.75, 0.625, 0.25]
    mean, interval = mean_interval(values)
    expected = ttest_1samp(values, 0).confidence_interval()
    assert interval == pytest.approx([expected.low, expected.high])
    assert mean == pytest.approx(0.53125)
    assert mean_interval([0.5]) == (0.5, None)


def runs_of(scores: dict[tuple[str, str], tuple[float, ...]]) -> list[dict[str, Any]]:
    return [
        {"run": f"{name}-{seed}", "strategy": name, "supernet": supernet, "seed": seed, "score": score}
        | {"evaluations": 3, "rank": None}
        for (name, supernet), both in scores.items()
        for seed, score in enumerate(both)
    ]


TWO = {("mine", "a"): (0.5, 0.75), ("random", "a"): (0.25, 0.625), ("mine", "b"): (1.0, 1.0), ("random", "b"): (0, 0)}


def test_the_advantage_is_paired_by_seed_and_supernet() -> None:
    found = {(row["strategy"], row["supernet"]): row["advantage"] for row in standings(runs_of(TWO))}
    assert found == {("mine", "b"): 1.0, ("mine", "a"): 0.1875, ("random", "a"): None, ("random", "b"): None}


def test_supernets_are_compared_with_the_first_by_seed_and_strategy() -> None:
    rows = {(row["strategy"], row["supernet"]): row for row in standings(runs_of(TWO))}
    assert {key: row["over_first"] for key, row in rows.items()} == {
        ("mine", "b"): 0.375,
        ("mine", "a"): None,
        ("random", "a"): None,
        ("random", "b"): -0.4375,
    }
    expected = ttest_1samp([0.5, 0.25], 0).confidence_interval()
    assert rows["mine", "b"]["over_first_interval"] == pytest.approx([expected.low, expected.high])


def test_the_difference_to_the_first_supernet_is_shown_where_there_are_several() -> None:
    def shown(scores: dict[tuple[str, str], tuple[float, ...]]) -> tuple[list[str], list[list[object]]]:
        runs = runs_of(scores)
        ((_, columns, cells),) = tables({"runs": runs, "standings": standings(runs), "measured": {}})
        return list(columns), [list(row) for row in cells]

    columns, cells = shown(TWO)
    place = columns.index("over a ± 95 %")
    assert [str(row[place])[:7] for row in cells] == ["+0.3750", "", "", "-0.4375"]
    assert not any(name.startswith("over a") for name in shown(dict(list(TWO.items())[:2]))[0])


METER = """
def energy_mj(module, x):
    return 1.0 + sum(p.numel() for p in module.parameters())
"""


def test_what_all_runs_warn_of_is_told_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "meter.py").write_text(METER)
    meters = "meters=[{use: ./meter.py:energy_mj, rounds: 3, networks: 0}]"
    assert run(["build-lut", "-c", "run.yaml", "--set", meters, "-o", "lut.h5", "-q"]) == 0
    capsys.readouterr()
    compared("--lut", "lut.h5", "--set", "constraint=energy_mj<=1e9", "--seeds", "2", "-q")
    assert capsys.readouterr().err.count("bounds on energy_mj have no margin") == 1


def test_a_wrong_strategy_is_named_as_it_was_given(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compared("--strategy", "evolutoin", code=2)
    said = capsys.readouterr().err
    assert "--strategy evolutoin: no search_strategy is called 'evolutoin'; did you mean 'evolution'?" in said
    assert "--set" not in said
