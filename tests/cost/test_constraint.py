from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nascli.cost.constraint import Constraint, describe, windows
from nascli.errors import ConfigError, Infeasible


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("macs<=30e6", Constraint("macs", 3e7, True)),
        ("latency_ms>=1.5", Constraint("latency_ms", 1.5, False)),
        ("  macs  <=  5 ", Constraint("macs", 5, True)),
        ("latency_ms@pixel-3.cpu<=.5", Constraint("latency_ms@pixel-3.cpu", 0.5, True)),
        ("macs>=0", Constraint("macs", 0, False)),
        ("macs<=3.", Constraint("macs", 3, True)),
    ],
)
def test_reads_what_people_write(text, expected):
    assert Constraint.parse(text) == expected


@given(st.floats(0, allow_nan=False, allow_infinity=False), st.booleans())
def test_the_canonical_text_reads_back_without_loss(bound, upper):
    constraint = Constraint("latency_ms", bound, upper)
    assert Constraint.parse(str(constraint)) == constraint


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("macs<=30e6", "macs<=30000000"), ("ms>=1.50", "ms>=1.5"), ("macs<=1e30", "macs<=1e+30")],
)
def test_text_is_canonical(text, canonical):
    assert str(Constraint.parse(text)) == canonical


@pytest.mark.parametrize(
    "text",
    ["", "macs", "macs<=", "<=3", "macs=3", "macs==3", "macs=<3", "Macs<=3", "3<=macs", "1<=macs<=3", "macs<=3 MB",
     "macs<=30M", "macs<=1_000", "ma cs<=3", "macs@<=3", "macs<=0x10", "macs<=1e", "macs<=３"],
)  # fmt: skip
def test_refuses_what_is_no_constraint_with_an_example(text):
    with pytest.raises(ConfigError) as caught:
        Constraint.parse(text)
    assert f"'{text}'" in caught.value.what
    assert "--constraint 'macs<=30e6'" in caught.value.hint


@pytest.mark.parametrize("bound", ["nan", "inf", "1e999", "infinity"])
def test_refuses_bounds_that_are_not_finite(bound):
    with pytest.raises(ConfigError, match="not a finite number"):
        Constraint.parse(f"macs<={bound}")


def test_refuses_negative_bounds():
    with pytest.raises(ConfigError, match="-3 is negative") as caught:
        Constraint.parse("macs<=-3")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("sign", ["<", ">"])
def test_strict_bounds_are_refused_with_what_to_write(sign):
    with pytest.raises(ConfigError, match="bounds are inclusive") as caught:
        Constraint.parse(f"macs{sign}3")
    assert caught.value.hint == f"write: --constraint 'macs{sign}=3'"


def test_windows_keep_the_tightest_bounds_of_each_metric():
    texts = ["macs<=9", "macs<=7", "macs>=1", "macs>=3", "ms<=2.5"]
    found = windows(map(Constraint.parse, texts))
    assert found == {"macs": (3, 7), "ms": (-math.inf, 2.5)}


def test_a_window_may_be_one_value():
    assert windows(map(Constraint.parse, ["macs<=5", "macs>=5"])) == {"macs": (5, 5)}


def test_an_empty_window_names_both_constraints():
    with pytest.raises(Infeasible, match="both macs>=5 and macs<=3") as caught:
        windows(map(Constraint.parse, ["macs<=3", "macs>=5"]))
    assert caught.value.exit_code == 4


def test_a_window_in_words_leaves_open_sides_out():
    assert describe("macs", (3, 7)) == "macs>=3 and macs<=7"
    assert describe("macs", (-math.inf, 7)) == "macs<=7"
