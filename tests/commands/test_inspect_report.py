"""How a report of any task looks."""

from __future__ import annotations

from typing import Any

from nascli.artifacts.report import Report
from nascli.artifacts.reported import Reported
from nascli.commands.views import report, warnings_of


def views(**values: Any) -> list[Any]:
    return list(report.tables(report.facts(Report(Reported(values, {"latency_ms": 1.5})))))


def test_numbers_are_rows_of_one_table() -> None:
    (title, columns, rows), _ = views(images=3, sure={"share": 0.5}, confusions=[])
    assert (title, columns) == ("evaluation on the test set", ["metric", "value"])
    assert rows == [["images", "3"], ["sure.share", "0.5"]]


def test_a_metric_with_an_interval_comes_first_and_in_one_row() -> None:
    (_, _, rows), _ = views(images=3, top1=0.5, top1_interval_95=[0.25, 0.75])
    assert rows == [["top1", "0.5 (95 %: 0.25 to 0.75)"], ["images", "3"]]


def test_costs_are_told_once_as_predicted_and_as_measured() -> None:
    _, (title, columns, rows) = views(images=3, macs=7, table={"latency_ms": 1.0, "macs": 7, "energy": 2.0})
    assert (title, columns) == ("costs of the network", ["cost", "predicted", "measured"])
    assert rows == [["latency_ms", 1.0, 1.5], ["macs", 7, 7], ["energy", 2.0, None]]


def test_a_table_of_other_things_stays_among_the_metrics() -> None:
    (_, _, rows), _ = views(table={"wood": "oak"})
    assert rows == [["table.wood", "oak"]]


def test_a_list_of_mappings_is_a_table_of_its_own() -> None:
    per_class = [{"class": "a", "iou": 0.25}, {"class": "b", "iou": None}]
    *_, (title, columns, rows) = views(images=3, per_class=per_class)
    assert (title, columns) == ("per class", ["class", "iou"])
    assert [row[:2] for row in rows] == [["a", 0.25], ["b", None]]  # numbers, which a terminal aligns


def test_what_is_not_known_is_no_row() -> None:
    (_, _, rows), _ = views(images=3, top5=None)
    assert rows == [["images", "3"]]


def test_how_the_latency_was_measured_stands_last_without_what_is_empty() -> None:
    load = {"others": 1.5, "waiting": 0.5}
    measured = {"latency_ms": 1.5, "threads": 1, "device": None, "torch": "", "load": load}
    values: dict[str, Any] = {"per_class": [{"class": "a"}]}
    _, costs, _, (title, _, rows) = report.tables(report.facts(Report(Reported(values, measured))))
    assert title == "how latency was measured"
    assert rows == [["threads", "1"], ["load.others", "1.5"], ["load.waiting", "0.5"]]
    assert costs[1][-1] == "doubt"
    assert str(costs[2][0][-1]).startswith("other processes took 1.5 cores")


def test_a_latency_beside_other_work_is_doubted() -> None:
    facts = report.facts(Report(Reported({}, {"latency_ms": 1.5, "load": {"others": 1.5, "waiting": 0.5}})))
    (doubt,) = warnings_of({"kind": "report", "path": "report.json", **facts})
    assert doubt.startswith("latency_ms: other processes took 1.5 cores")


def test_mappings_with_other_keys_stay_rows() -> None:
    (_, _, rows), _ = views(folds=[{"a": 1}, {"b": 2}])
    assert rows == [["folds.0.a", "1"], ["folds.1.b", "2"]]


def test_of_a_long_list_the_first_are_shown() -> None:
    *_, (title, _, rows) = views(per_class=[{"class": str(i)} for i in range(1000)])
    assert title == "per class (the first 50 of 1,000)"
    assert len(rows) == report.MOST_ROWS


def test_a_confusion_matrix_is_no_row_of_the_table() -> None:
    (_, _, rows), _ = views(images=3, confusion_matrix=[[2, 1], [0, 0]])
    assert rows == [["images", "3"]]
