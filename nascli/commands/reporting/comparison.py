"""A comparison of search strategies: standings, and how the best of each grew with the budget."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nascli.artifacts.comparison import Comparison
from nascli.commands.reporting.material import Material, name_of
from nascli.commands.reporting.parts import Figure, Note, Part, Section, Table
from nascli.commands.reporting.plots import COLOURS, label, legend, plotted
from nascli.commands.views import as_json
from nascli.commands.views import comparison as view

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.axes import Axes

EARLY = 10  # the first tenth of the budget may lie below the axis
MARGIN = 0.08

Curves = dict[str, "npt.NDArray[np.float64]"]


def sections(material: Material) -> Iterator[Section]:
    """One section a comparison."""
    for number, comparison in enumerate(material.of(Comparison)):
        facts = as_json(comparison)
        parts: list[Part] = [Table.of(table) for table in view.tables(facts)]
        curves = _curves(facts["runs"])
        parts.append(_figure(curves, f"compare{number}") if curves else Note("The runs have no best-so-far curves."))
        columns = ["run", "score", "evaluations", "architecture"]
        rows: list[list[object]] = [
            [run["run"], run["score"], run["evaluations"], ",".join(map(str, run.get("architecture", ())))]
            for run in facts["runs"]
        ]
        parts.append(Table.of((f"all {len(rows)} runs", columns, rows), folded=True))
        yield Section(f"comparison-{number}", "Search strategies side by side", name_of(comparison), parts)


def _curves(runs: Sequence[Mapping[str, Any]]) -> Curves:
    """Strategy (and supernet) → best accuracy so far, (seeds, evaluations); a run that ended early keeps its last."""
    import numpy as np

    several = len({run["supernet"] for run in runs}) > 1
    grouped: dict[str, list[list[float]]] = {}
    for run in runs:
        grown = [np.nan if value is None else float(value) for value in run.get("best_so_far") or ()]
        if grown:
            name = f"{run['strategy']}, {run['supernet']}" if several else str(run["strategy"])
            grouped.setdefault(name, []).append(grown)
    longest = max((len(grown) for group in grouped.values() for grown in group), default=0)
    return {
        name: np.array([grown + grown[-1:] * (longest - len(grown)) for grown in group])
        for name, group in grouped.items()
    }


def _figure(curves: Curves, name: str) -> Figure:
    """Means over seeds; the band reaches from the worst seed to the best."""
    ends = ", ".join(f"{strategy} {values[:, -1].mean():.4f}" for strategy, values in curves.items())
    seeds = max(map(len, curves.values()))
    words = f"Mean best accuracy after {next(iter(curves.values())).shape[1]:,} evaluations, {seeds} seeds: {ends}."

    def draw(axes: Sequence[Axes]) -> None:
        for i, (strategy, values) in enumerate(curves.items()):
            x, colour = range(1, values.shape[1] + 1), COLOURS[i % len(COLOURS)]
            style = ("-", "--", ":", "-.")[i % 4]
            ends = values.min(axis=0), values.max(axis=0)
            axes[0].step(x, values.mean(axis=0), where="post", color=colour, linestyle=style, label=label(strategy))
            axes[0].fill_between(x, *ends, step="post", color=colour, alpha=0.12, linewidth=0)
        axes[0].set_ylim(*_range(curves))
        axes[0].set_xlabel("architectures scored")
        axes[0].set_ylabel("best accuracy so far")
        legend(axes[0], loc="lower right")

    return Figure(
        "best so far: mean over seeds, the band from the worst seed to the best",
        plotted(name, words, draw, height=4),
        words,
    )


def _range(curves: Curves) -> tuple[float | None, float | None]:
    """What the axis shows: all but the first steps, where any search is far off; all where nothing grows later."""
    import numpy as np

    later = np.concatenate([values[:, values.shape[1] // EARLY :].ravel() for values in curves.values()])
    low, high = np.nanmin(later), np.nanmax(later)
    return (low - MARGIN * (high - low), high + MARGIN * (high - low)) if high > low else (None, None)
