"""Cost models as lookup tables, and back."""

from __future__ import annotations

from nascli.artifacts.lookup_table import Column, Table
from nascli.cost.model import CostModel, Factor, Metric
from nascli.space import Space


def to_table(costs: CostModel) -> Table:
    """The table of a cost model."""
    return Table({name: _column(metric) for name, metric in costs.metrics.items()})


def _column(metric: Metric) -> Column:
    factors = tuple((factor.decisions, factor.values) for factor in metric.factors)
    known = metric.exact, metric.error, metric.notes, metric.evidence, metric.joins
    return Column(metric.unit, metric.base, factors, *known)


def from_table(table: Table, space: Space) -> CostModel:
    """The cost model of a table.

    Raises:
        ArtifactError: cells are missing, negative or not finite.
    """
    return CostModel(space, {name: _metric(name, column) for name, column in table.columns.items()})


def _metric(name: str, column: Column) -> Metric:
    factors = tuple(Factor(decisions, values) for decisions, values in column.factors)
    known = column.exact, column.error, column.notes, column.evidence, column.joins
    return Metric(name, column.unit, column.base, factors, *known)
