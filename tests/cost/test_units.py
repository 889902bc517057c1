from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nascli.cost.units import KINDS, UNITS, convert, unit_of

VALUES = st.floats(0, 1e200, allow_subnormal=False)


@pytest.mark.parametrize(
    ("metric", "unit"),
    [
        ("latency_ms", "ms"),
        ("latency_ms@pixel3", "ms"),
        ("energy_mj@eyeriss", "mJ"),
        ("peak_memory_mb", "MB"),
        ("peak_memory_mib", "MiB"),
        ("time_us", "us"),
        ("time_s", "s"),
        ("macs", None),
        ("params", None),
        ("ms", None),
        ("latency@my_ms", None),
    ],
)
def test_a_metric_carries_its_unit_in_its_name(metric: str, unit: str | None) -> None:
    assert unit_of(metric) == unit


@pytest.mark.parametrize(
    ("value", "unit", "into", "expected"),
    [
        (1.5, "s", "ms", 1500.0),
        (250.0, "us", "ms", 0.25),
        (0.1, "ms", "us", 100.0),
        (3.0, "J", "mJ", 3000.0),
        (2.0, "MiB", "MB", 2.097152),
        (7.0, "mJ", "mJ", 7.0),
        (4.0, "furlong", "furlong", 4.0),
    ],
)
def test_values_are_converted(value: float, unit: str, into: str, expected: float) -> None:
    assert convert(value, unit, into) == expected


@given(VALUES, st.sampled_from(UNITS))
def test_a_value_in_its_own_unit_stays_as_it_is(value: float, unit: str) -> None:
    assert convert(value, unit, unit) == value


@given(VALUES, st.data())
def test_there_and_back_is_the_same_but_for_rounding(value: float, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    unit, into = data.draw(st.sampled_from(sorted(kind))), data.draw(st.sampled_from(sorted(kind)))
    assert math.isclose(convert(convert(value, unit, into), into, unit), value, rel_tol=4e-16, abs_tol=1e-300)


@pytest.mark.parametrize(("unit", "into", "said"), [("msec", "ms", "did you mean 'ms'"), ("mJ", "ms", "cannot become")])
def test_what_cannot_be_converted_is_said(unit: str, into: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        convert(1.0, unit, into)
