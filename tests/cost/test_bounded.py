from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nascli.cost.bounded import bounded
from nascli.cost.constraint import Constraint
from nascli.cost.model import CostModel
from nascli.errors import Infeasible

from .helpers import chain


def measured(name: str = "latency_ms", **known: Any) -> CostModel:
    """Exact "macs", and a measured metric."""
    model = chain({name: [[1.0, 2.0]] * 2, "macs": [[1, 2]] * 2}, 1)
    known = {"exact": False, "notes": {"rounds": 30}, **known}
    return CostModel(model.space, {**model.metrics, name: replace(model[name], **known)})


def said(capsys: pytest.CaptureFixture[str], model: CostModel, *texts: str, margin: float | None = None) -> str:
    bounded(model, [Constraint.parse(text) for text in texts], margin)
    return " ".join(capsys.readouterr().err.split())


def test_a_measured_bound_without_a_known_error_is_told_of_once(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, measured(), "latency_ms<=4", "latency_ms>=2", "macs<=4")
    assert text.count("warning") == text.count("bounds on latency_ms have no margin") == 1
    assert "nascli build-lut -c CONFIG --set 'meters=[macs, params, {use: latency_ms, networks: 60}]'" in text
    assert "--margin 0 if that is meant" in text


@pytest.mark.parametrize(
    ("name", "notes", "way"),
    [
        ("latency_ms@pixel3", {"rounds": 30}, "{use: latency_ms, networks: 60, device: pixel3}"),
        ("latency_ms@pixel3", {"file": "pixel3.csv"}, "nascli import-measurements"),
        ("energy_mj", {"rounds": 30}, "{use: ./FILE.py:energy_mj, networks: 60}"),
        ("energy_mj", {}, "how far its table is off; if you know it, say it: --margin 0.05 is 5 %; or --margin 0"),
    ],
)
def test_the_way_to_a_margin_is_that_of_the_table(
    capsys: pytest.CaptureFixture[str], name: str, notes: dict[str, Any], way: str
) -> None:
    assert way in said(capsys, measured(name, notes=notes), f"{name}<=4")


def test_where_the_margin_is_known_or_said_there_is_nothing_to_tell(capsys: pytest.CaptureFixture[str]) -> None:
    assert not said(capsys, measured(error=0.1), "latency_ms<=4")
    assert not said(capsys, measured(), "latency_ms<=4", margin=0.0)
    assert not said(capsys, measured(), "macs<=4")
    assert not said(capsys, measured(exact=True), "latency_ms<=4")


def test_what_nothing_meets_is_infeasible() -> None:
    with pytest.raises(Infeasible):
        bounded(measured(), [Constraint.parse("macs<=1")], None)
