"""`lut.h5`: what every candidate costs, per metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from nascli.artifacts.base import Artifact
from nascli.errors import ArtifactError
from nascli.space import Space

if TYPE_CHECKING:
    import numpy.typing as npt

Values: TypeAlias = "npt.NDArray[Any]"
Joins: TypeAlias = Literal["sum", "max"]


@dataclass(frozen=True, eq=False)
class Evidence:
    """What was sampled: blocks and whole networks, in the metric's unit, before any correction.

    `ids`: of the n blocks. `samples`: (rounds, n). `archs`: (m, d). `networks`: (rounds, m), theirs.
    """

    ids: tuple[str, ...]
    samples: Values
    archs: Values
    networks: Values


@dataclass(frozen=True, eq=False)
class Column:
    """One metric of a table.

    `factors`: (positions of decisions, costs with one axis per decision); the total is `base` plus one cell of
    each factor. `exact`: totals equal what the decoded network costs. `error`: relative 95 % error on networks
    that were held out, None where it is unknown. `notes`: conditions of the measurement, plain JSON values.
    `evidence`: the samples behind the costs, where there are any. `joins`: "max" where a total is the largest of
    base and cells, not their sum.
    """

    unit: str
    base: int | float
    factors: tuple[tuple[tuple[int, ...], Values], ...]
    exact: bool
    error: float | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    evidence: Evidence | None = None
    joins: Joins = "sum"


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
        "METRIC/ids": "uint8: the ids of the blocks that were sampled, a line each; of sampled metrics alone",
        "METRIC/samples": "float64 (rounds, blocks): what each round found, before any correction",
        "METRIC/archs": "int64 (networks, decisions): the whole networks that were sampled in the same rounds",
        "METRIC/networks": "float64 (rounds, networks): what each round found of them",
    }

    def pack(self, payload: Table) -> dict[str, Values]:
        import numpy as np

        content: dict[str, Values] = {}
        facts = {}
        for name, column in payload.columns.items():
            facts[name] = {**column.notes, "unit": column.unit, "exact": column.exact, "error": column.error}
            if column.joins != "sum":
                facts[name]["joins"] = column.joins
            content[f"{name}/base"] = np.array(column.base)
            for i, (decisions, values) in enumerate(column.factors):
                content[f"{name}/{i:04d}/decisions"] = np.array(decisions, dtype=np.int64)
                content[f"{name}/{i:04d}/values"] = values
            if column.evidence is not None:
                content |= _packed(name, column.evidence)
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
        evidence = _evidence(name, content) if f"{name}/ids" in content else None
        known = facts.pop("unit"), base, factors, facts.pop("exact"), facts.pop("error")
        joins = facts.pop("joins", "sum")
        return Column(*known, facts, evidence, joins)
    except (KeyError, ValueError) as error:
        raise ArtifactError(f"lookup table: metric '{name}' is incomplete ({error})") from None


def _packed(name: str, evidence: Evidence) -> dict[str, Values]:
    import numpy as np

    ids = np.frombuffer("\n".join(evidence.ids).encode(), dtype=np.uint8)
    arrays = {"ids": ids, "samples": evidence.samples, "archs": evidence.archs, "networks": evidence.networks}
    return {f"{name}/{key}": array for key, array in arrays.items()}


def _evidence(name: str, content: Mapping[str, Values]) -> Evidence:
    ids, samples, archs, networks = (content[f"{name}/{key}"] for key in ("ids", "samples", "archs", "networks"))
    return Evidence(tuple(ids.tobytes().decode().splitlines()), samples, archs, networks)
