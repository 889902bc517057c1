from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from nascli.errors import ConfigError
from nascli.search_strategy.base import Score
from nascli.training_agent.base import EvaluatorInputs
from nascli.training_agent.table_evaluator import TableEvaluator

NOTHING = cast(EvaluatorInputs, None)
ENTRY = {"mean_acc": 50.0, "test_acc": [25.0, 75.0], "name": "x"}


def looked_up(folder: Path, table: Any, arch: list[int], **options: Any) -> Score:
    path = folder / "benchmark.json"
    path.write_text(json.dumps(table))
    made = TableEvaluator(TableEvaluator.Config(path=path, **options))
    made.prepare(NOTHING)
    (score,) = made.evaluate(np.array([arch]))
    return score


@pytest.mark.parametrize("key", ["021", "0,2,1"])
def test_an_architecture_may_be_written_with_commas_or_without(key: str, tmp_path: Path) -> None:
    assert looked_up(tmp_path, {key: ENTRY}, [0, 2, 1]) == Score(0.5, 0.5, 0)


def test_indices_above_9_are_written_with_commas(tmp_path: Path) -> None:
    table = {"1,12": {"mean_acc": 10}, "11,2": {"mean_acc": 20}}
    assert [looked_up(tmp_path, table, arch).accuracy for arch in ([1, 12], [11, 2])] == [0.1, 0.2]


def test_a_score_may_be_one_value_of_a_list(tmp_path: Path) -> None:
    assert looked_up(tmp_path, {"0": ENTRY}, [0], score="test_acc.1").accuracy == 0.75


def test_a_score_may_be_the_mean_of_several(tmp_path: Path) -> None:
    found = looked_up(tmp_path, {"0": ENTRY}, [0], score="test_acc.0+test_acc.1+mean_acc")
    assert found.accuracy == pytest.approx(0.5)
    with pytest.raises(ConfigError, match=r"no number 'mean_acc\+other'"):
        looked_up(tmp_path, {"0": ENTRY}, [0], score="mean_acc+other")


def test_scale_turns_the_field_into_a_share(tmp_path: Path) -> None:
    assert looked_up(tmp_path, {"0": {"acc": 0.5}}, [0], score="acc", scale=1.0) == Score(0.5, 0.5, 0)


def test_an_architecture_that_is_not_in_the_benchmark_has_no_score(tmp_path: Path) -> None:
    found = looked_up(tmp_path, {"021": ENTRY}, [0, 2, 2])
    assert found.error == "not in the benchmark"
    assert np.isnan([found.accuracy, found.loss]).all()


@pytest.mark.parametrize("field", ["accuracy", "test_acc", "test_acc.2", "test_acc.x", "mean_acc.0", "name"])
def test_a_wrong_field_is_refused_and_the_fields_are_listed(field: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"no number '{field}'") as caught:
        looked_up(tmp_path, {"0": ENTRY}, [0], score=field)
    assert caught.value.why == "fields: mean_acc, test_acc, name"


def test_entries_that_are_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no number 'mean_acc'"):
        looked_up(tmp_path, {"0": 50.0}, [0])


def test_the_digest_of_the_benchmark_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "benchmark.json"
    path.write_text("{}")
    facts = TableEvaluator(TableEvaluator.Config(path=path)).prepare(NOTHING)
    assert facts == {"benchmark": hashlib.sha256(b"{}").hexdigest()}


@pytest.mark.parametrize("text", ["{", "[1, 2]", "3", None])
def test_a_file_that_is_no_table_is_refused(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "benchmark.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=r"cannot read the benchmark .*benchmark\.json") as caught:
        TableEvaluator(TableEvaluator.Config(path=path)).prepare(NOTHING)
    assert caught.value.exit_code == 2


def test_without_a_path_nothing_is_read() -> None:
    with pytest.raises(ConfigError, match="does not know its benchmark"):
        TableEvaluator().prepare(NOTHING)
