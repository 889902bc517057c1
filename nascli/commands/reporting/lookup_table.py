"""Lookup tables: each metric as a heat map, and how well it predicts networks that were held out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nascli.artifacts.lookup_table import LookupTable
from nascli.commands.reporting.material import Material, name_of
from nascli.commands.reporting.parts import Cell, Figure, Note, Part, Section, Table, shaded, short
from nascli.commands.reporting.plots import COLOURS, DARK, GREY, legend, plotted
from nascli.commands.views import as_json
from nascli.commands.views import lookup_table as view
from nascli.commands.views.common import named
from nascli.console import show

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.axes import Axes

COLUMNS = 12  # names of candidates that make columns; beyond, candidates are columns by their number
CELLS = 400  # cells over several decisions that are listed


def sections(material: Material) -> Iterator[Section]:
    """One section a table."""
    for number, lut in enumerate(material.of(LookupTable)):
        facts = as_json(lut)
        parts: list[Part] = [Note(text, warns=True) for text in view.warnings(facts)]
        for metric, found in facts["metrics"].items():
            parts += [*_heat(metric, found), *_validation(lut, metric, found, f"lut{number}-{metric}")]
        parts += [Table.of(table, folded=True) for table in view.tables(facts) if table[0] in ("totals", "conditions")]
        yield Section(f"lookup-table-{number}", "Costs of the candidates", name_of(lut), parts)


def _heat(metric: str, found: Mapping[str, Any]) -> Iterator[Part]:
    """Decisions × candidates; costs that several decisions have together are listed."""
    single = [cell for cell in found["cells"] if len(cell["decisions"]) == 1]
    joint = [cell for cell in found["cells"] if len(cell["decisions"]) > 1]
    name = named(metric, found["unit"])
    if single:
        yield _map(f"{name} of each candidate: the darker, the dearer", single)
    if joint:
        rows: list[list[object]] = [[*view.cell_name(cell), cell["cost"]] for cell in joint[:CELLS]]
        title = f"{name} of candidates of several decisions together"
        more = f" (the first {CELLS} of {len(joint):,})" if len(joint) > CELLS else ""
        yield Table.of((title + more, ["decisions", "candidates", "cost"], rows), folded=len(joint) > 40)
    unit = "" if found["unit"] in ("1", "") else f" {found['unit']}"
    span = f"; whole networks cost from {show(found['smallest'])} to {show(found['largest'])}{unit}"
    yield Note(f"The fixed part costs {show(found['base'])}{unit}{span if found['smallest'] is not None else ''}.")


def _map(title: str, cells: Sequence[Mapping[str, Any]]) -> Table:
    """By the names of the candidates where few names serve all decisions, else by their number."""
    rows: dict[str, dict[str, Any]] = {}
    for item in cells:
        rows.setdefault(item["decisions"][0], {})[item["candidates"][0]] = item["cost"]
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    largest = max((cost for row in rows.values() for cost in row.values()), default=0)
    if len(names) <= COLUMNS:
        shown = [[Cell(label), *(_cost(row.get(name), largest) for name in names)] for label, row in rows.items()]
        return Table(title, ["decision", *names], shown)
    most = max(map(len, rows.values()))
    numbered = [
        [Cell(label), *(_cost(cost, largest, name) for name, cost in row.items()), *[Cell("")] * (most - len(row))]
        for label, row in rows.items()
    ]
    return Table(title, ["decision", *map(str, range(most))], numbered)


def _cost(cost: float | None, largest: float, name: str = "") -> Cell:
    if cost is None:
        return Cell("")
    found = shaded(cost, largest)
    return Cell(f"{name}: {found.text}", found.shade, f"{name}: {found.exact}") if name else found


def _validation(lut: LookupTable, metric: str, found: Mapping[str, Any], name: str) -> Iterator[Part]:
    """Predicted against measured, and the figures of each predictor; a sentence where nothing was held out."""
    if found["exact"]:
        return
    predicted, measured, held_out = _networks(lut, metric)
    if not len(measured):
        yield Note(f"{metric}: no whole networks were measured, so nothing says how well it predicts them.")
        return
    errors = abs(predicted - measured)[held_out] / measured[held_out]
    off = f"the table is off by {100 * errors.mean():.1f} % in the mean, {100 * errors.max():.1f} % at most"
    span = f"from {short(measured.min())} to {short(measured.max())} {found['unit']}"
    words = f"{metric}: {int(held_out.sum())} held-out networks {span}; {off}."

    def draw(axes: Sequence[Axes]) -> None:
        _scatter(axes[0], predicted, measured, held_out, named(metric, found["unit"]))

    yield Figure(f"{metric}: whole networks, predicted and measured", plotted(name, words, draw, height=4.2), words)
    if "held_out_table" in found["notes"]:
        yield Table.of(view.held_out(metric, found["notes"]))


def _networks(lut: LookupTable, metric: str) -> tuple[Any, Any, npt.NDArray[np.bool_]]:
    """What the table says of the measured networks, what was measured, and which of them were held out."""
    import numpy as np

    from nascli.cost.table import from_table
    from nascli.cost.validation import held_out

    column = lut.payload.columns[metric]
    if column.evidence is None or not len(column.evidence.archs):
        return np.zeros(0), np.zeros(0), np.zeros(0, dtype=bool)
    pick = np.min if column.notes.get("statistic") == "minimum" else np.median
    measured = pick(column.evidence.networks, axis=0)
    predicted = from_table(lut.payload, lut.space.space()).total(metric, column.evidence.archs)
    judges = held_out(len(measured)) if "correction" in column.notes else np.ones(len(measured), dtype=bool)
    seen = measured > 0
    return predicted[seen], measured[seen], judges[seen]


def _scatter(axes: Axes, predicted: Any, measured: Any, held_out: npt.NDArray[np.bool_], unit: str) -> None:
    low, high = min(predicted.min(), measured.min()), max(predicted.max(), measured.max())
    axes.plot([low, high], [low, high], color=GREY, linewidth=1, linestyle="--", label="equal")
    if not held_out.all():
        fitted = predicted[~held_out], measured[~held_out]
        axes.scatter(*fitted, s=26, facecolors="none", edgecolors=DARK, label="fitted on", zorder=2)
    axes.scatter(predicted[held_out], measured[held_out], s=26, color=COLOURS[0], label="held out", zorder=3)
    axes.set_xlabel(f"predicted {unit}")
    axes.set_ylabel(f"measured {unit}")
    legend(axes, loc="upper left")
