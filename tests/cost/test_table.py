from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from nascli.artifacts.lookup_table import Column, LookupTable, Table
from nascli.cost.model import CostModel, Factor, Metric
from nascli.cost.table import from_table, to_table
from nascli.errors import ArtifactError

from .helpers import REAL, WHOLE, chain, everything, nested, space, tables

SOME = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def through_file(model: CostModel, folder: Path) -> CostModel:
    """The model as it comes back from an .h5 file."""
    path = folder / "lut.h5"
    LookupTable(to_table(model)).write(path)
    return from_table(LookupTable.open(path).payload, model.space)


@SOME
@given(tables(WHOLE), tables(REAL))
def test_totals_come_back_from_a_file_bit_for_bit(
    tmp_path: Path, whole: list[list[int]], real: list[list[float]]
) -> None:
    for costs in (whole, real):
        model = chain({"macs": costs}, 3)
        archs, again = everything(model.space), through_file(model, tmp_path)
        assert again.total("macs", archs).dtype == model.total("macs", archs).dtype
        assert np.array_equal(again.total("macs", archs), model.total("macs", archs))


def test_what_is_known_of_a_metric_comes_back(tmp_path: Path) -> None:
    factor = Factor((0,), np.array([0.5, 0.25]))
    notes = {"rounds": 15, "device": "a board", "reliability": None}
    metric = Metric("latency_ms@board", "ms", 0.125, (factor,), False, 0.04, notes)
    again = through_file(CostModel(space([2]), {"latency_ms@board": metric}), tmp_path)["latency_ms@board"]
    assert (again.name, again.unit, again.base) == ("latency_ms@board", "ms", 0.125)
    assert (again.exact, again.error, again.notes) == (False, 0.04, notes)


def test_joint_factors_come_back_with_their_decisions(tmp_path: Path) -> None:
    again = through_file(nested(), tmp_path)["macs"]
    assert [factor.decisions for factor in again.factors] == [(0, 2), (1,), (3,)]
    assert again.is_integer


def test_more_than_ten_factors_come_back_in_order(tmp_path: Path) -> None:
    again = through_file(chain({"macs": [[i, 100 + i] for i in range(12)]}), tmp_path)["macs"]
    assert [factor.decisions for factor in again.factors] == [(i,) for i in range(12)]


def test_all_metrics_come_back(tmp_path: Path) -> None:
    model = chain({"params": [[1, 2]], "macs": [[3, 4]], "latency_ms": [[0.1, 0.2]]})
    assert {name: m.factors[0].values.tolist() for name, m in through_file(model, tmp_path).metrics.items()} == {
        "params": [1, 2],
        "macs": [3, 4],
        "latency_ms": [0.1, 0.2],
    }


def test_a_table_of_another_space_is_refused() -> None:
    with pytest.raises(ArtifactError, match=r"costs of layer_1 have shape \(3,\), not \(2,\)"):
        from_table(to_table(chain({"macs": [[1, 2], [3, 4, 5]]})), space([2, 2]))


def test_a_table_with_a_missing_cost_is_refused() -> None:
    column = Column("MAC", 0, (((0,), np.array([1.0, np.nan])),), True)
    with pytest.raises(ArtifactError, match="layer_0=op1 is nan"):
        from_table(Table({"macs": column}), space([2]))
