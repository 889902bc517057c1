"""How a report of any task looks."""

from __future__ import annotations

from typing import Any

from nascli.artifacts.report import Report
from nascli.artifacts.reported import Reported
from nascli.commands.views import report, warnings_of


def views(**values: Any) -> list[Any]:
    return list(report.tables(report.facts(Report(Reported(values, {"latency_ms": 1.5})))))


def test_numbers_are_rows_of_one_table() -> None:
    ((title, columns, rows),) = views(images=3, sure={"share": 0.5}, confusions=[])
    assert (title, columns) == ("evaluation on the test set", ["metric", "value"])
    assert rows == [["images", "3"], ["sure.share", "0.5"], ["measured.latency_ms", "1.5"]]


def test_a_list_of_mappings_is_a_table_of_its_own() -> None:
    per_class = [{"class": "a", "iou": 0.25}, {"class": "b", "iou": None}]
    _, (title, columns, rows) = views(images=3, per_class=per_class)
    assert (title, columns) == ("per class", ["class", "iou"])
    assert [row[:2] for row in rows] == [["a", 0.25], ["b", None]]  # numbers, which a terminal aligns


def test_what_is_not_known_is_no_row() -> None:
    ((_, _, rows),) = views(images=3, top5=None)
    assert [row[0] for row in rows] == ["images", "measured.latency_ms"]


def test_a_latency_beside_other_work_is_doubted() -> None:
    facts = report.facts(Report(Reported({}, {"latency_ms": 1.5, "load": {"others": 1.5, "waiting": 0.5}})))
    (doubt,) = warnings_of({"kind": "report", "path": "report.json", **facts})
    assert doubt.startswith("latency_ms: other processes took 1.5 cores")


def test_mappings_with_other_keys_stay_rows() -> None:
    ((_, _, rows),) = views(folds=[{"a": 1}, {"b": 2}])
    assert rows[:2] == [["folds.0.a", "1"], ["folds.1.b", "2"]]


def test_of_a_long_list_the_first_are_shown() -> None:
    _, (title, _, rows) = views(per_class=[{"class": str(i)} for i in range(1000)])
    assert title == "per class (the first 50 of 1,000)"
    assert len(rows) == report.MOST_ROWS


def test_a_confusion_matrix_is_no_row_of_the_table() -> None:
    ((_, _, rows),) = views(images=3, confusion_matrix=[[2, 1], [0, 0]])
    assert [row[0] for row in rows] == ["images", "measured.latency_ms"]
