"""`lut.h5`: what every candidate costs, per metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from nascli.artifacts.base import Artifact
from nascli.errors import ArtifactError
from nascli.space import Space

if TYPE_CHECKING:
    import numpy.typing as npt

Values: TypeAlias = "npt.NDArray[Any]"


@dataclass(frozen=True, eq=False)
class Column:
    """One metric of a table.

    `factors`: (positions of decisions, costs with one axis per decision); the total is `base` plus one cell of
    each factor. `exact`: totals equal what the decoded network costs. `error`: relative 95 % error on networks
    that were held out, None where it is unknown. `notes`: conditions of the measurement, plain JSON values.
    """

    unit: str
    base: int | float
    factors: tuple[tuple[tuple[int, ...], Values], ...]
    exact: bool
    error: float | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Columns by metric name ("macs", "params", "latency_ms")."""

    columns: Mapping[str, Column]


class LookupTable(Artifact[Table]):
    """Costs of the candidate blocks (HDF5)."""

    kind = "lookup-table"
    suffix = ".h5"
    made_by = "nascli build-lut -c CONFIG -o lut.h5"
    conventions = {
        "macs": "multiply-accumulates of convolutions and linear layers, batch 1; nothing else is counted",
        "params": "trainable numbers, BatchNorm's included",
        "latency_ms": "milliseconds of one forward, as the column's notes describe",
    }
    contents = {
        "METRIC/base": "scalar: the cost of what no decision changes",
        "METRIC/NUMBER/decisions": "int64 (k,): the positions of the decisions that this factor covers",
        "METRIC/NUMBER/values": "int64 or float64, one axis per decision: its cost for each choice of candidates; "
        "a total is the base plus one cell of each factor",
    }

    def pack(self, payload: Table) -> dict[str, Values]:
        import numpy as np

        content: dict[str, Values] = {}
        facts = {}
        for name, column in payload.columns.items():
            facts[name] = {**column.notes, "unit": column.unit, "exact": column.exact, "error": column.error}
            content[f"{name}/base"] = np.array(column.base)
            for i, (decisions, values) in enumerate(column.factors):
                content[f"{name}/{i:04d}/decisions"] = np.array(decisions, dtype=np.int64)
                content[f"{name}/{i:04d}/values"] = values
        self.header = self.header.model_copy(update={"summary": {**self.header.summary, "metrics": facts}})
        return content

    def unpack(self, content: Mapping[str, Values], space: Space | None) -> Table:
        return Table({name: _column(name, dict(facts), content) for name, facts in self.metrics.items()})

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """Unit, exactness and notes of each metric, from the header alone."""
        found: dict[str, dict[str, Any]] = self.header.summary.get("metrics", {})
        return found


def _column(name: str, facts: dict[str, Any], content: Mapping[str, Values]) -> Column:
    numbers = sorted({key.split("/")[1] for key in content if key.startswith(f"{name}/") and key.count("/") == 2})
    try:
        base = content[f"{name}/base"].item()
        factors = tuple(
            (tuple(content[f"{name}/{n}/decisions"].tolist()), content[f"{name}/{n}/values"]) for n in numbers
        )
        return Column(facts.pop("unit"), base, factors, facts.pop("exact"), facts.pop("error"), facts)
    except (KeyError, ValueError) as error:
        raise ArtifactError(f"lookup table: metric '{name}' is incomplete ({error})") from None
