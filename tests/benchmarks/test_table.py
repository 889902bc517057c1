"""How rows are judged."""

from __future__ import annotations

import pytest

from tests.benchmarks.pairs import Ratio
from tests.benchmarks.table import Found, Options, Row, at_least, at_most, run


def between(low: float, high: float) -> Ratio:
    return Ratio((low + high) / 2, low, high, 30, 1.0, 1.0)


@pytest.mark.parametrize(("low", "high", "verdict"), [(3.1, 3.3, "met"), (2.9, 3.1, "open"), (2.7, 2.9, "missed")])
def test_a_ratio_is_judged_by_its_interval(low: float, high: float, verdict: str) -> None:
    assert at_least(between(low, high), 3.0).verdict == verdict
    assert at_most(between(-high, -low), -3.0).verdict == verdict


def test_a_second_work_of_several_steps_counts_each_of_them() -> None:
    calls = {"first": 0, "second": 0}

    def count(name: str) -> None:
        calls[name] += 1

    Options(seconds=0).compare(lambda: count("first"), lambda: count("second"), each=3)
    assert calls["second"] == 3 * calls["first"] > 0


def test_the_table_shows_what_was_measured_with_its_interval(capsys: pytest.CaptureFixture[str]) -> None:
    run("Title", [Row("name", "what", ">= 3", lambda _: Found("3.20 [3.10, 3.30] n=30", "met"))], Options(seconds=0))
    shown = capsys.readouterr().out
    assert "| name | what | 3.20 [3.10, 3.30] n=30 | >= 3   | met |" in shown
