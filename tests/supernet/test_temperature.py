from __future__ import annotations

import pytest

from nascli.supernet.temperature import TemperatureConfig

FALLING = TemperatureConfig(start=4.0, end=1.0)


@pytest.mark.parametrize(("step", "expected"), [(0, 4.0), (1, 2.0), (2, 1.0), (5, 1.0)])
def test_it_falls_exponentially_from_the_first_step_to_the_last(step: int, expected: float) -> None:
    assert FALLING.at(step, 3) == pytest.approx(expected)


@pytest.mark.parametrize("steps", [0, 1])
def test_it_stays_where_there_is_no_way_to_go(steps: int) -> None:
    assert FALLING.at(7, steps) == 4.0
