"""Every candidate of a search: cost against score, front and constraint, and how the best grew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.history import History
from nascli.artifacts.lookup_table import LookupTable
from nascli.commands.reporting.material import Material, name_of
from nascli.commands.reporting.parts import Figure, Note, Part, Section, Table
from nascli.commands.reporting.plots import COLOURS, DARK, MANY, legend, plotted
from nascli.commands.views import as_json
from nascli.commands.views import history as view
from nascli.commands.views.common import named
from nascli.console import show
from nascli.cost.constraint import Constraint
from nascli.errors import NascliError
from nascli.space import compact

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Trial = Mapping[str, Any]
FIGURES = 4  # metrics that are drawn


def sections(material: Material) -> Iterator[Section]:
    """One section a history."""
    units = {name: str(facts.get("unit")) for lut in material.of(LookupTable) for name, facts in lut.metrics.items()}
    for number, history in enumerate(material.of(History)):
        facts = as_json(history)
        chosen = material.sibling(history, Architecture)
        winner = list(chosen.payload.arch) if chosen else None
        parts = list(_parts(facts, winner, units, f"search{number}"))
        yield Section(f"search-{number}", "Every candidate of the search", name_of(history), parts)


def _parts(facts: Mapping[str, Any], winner: list[int] | None, units: Mapping[str, str], name: str) -> Iterator[Part]:
    trials: list[Trial] = facts["trials"]
    scored = [trial for trial in trials if trial["accuracy"] is not None]
    if not scored:
        yield Note("No candidate has a score.")
        return
    bounds = list(bounds_of(facts["summary"]))
    metrics = list(trials[0]["costs"])
    drawn = [bound.metric for bound in bounds if bound.metric in metrics] or metrics
    for metric in list(dict.fromkeys(drawn))[:FIGURES]:
        yield _candidates(facts, metric, winner, bounds, units, name)
    if not metrics:
        yield Note("The history has no costs to draw the scores against.")
    yield _growth(facts["best_so_far"], name)
    yield from (Table.of(table) for table in view.tables(facts) if table[0] != "best so far")


def bounds_of(summary: Mapping[str, Any]) -> Iterator[Constraint]:
    """The constraints of a search that can be read."""
    for text in summary.get("constraints", []):
        try:
            yield Constraint.parse(str(text))
        except NascliError:
            continue


def _candidates(
    facts: Mapping[str, Any],
    metric: str,
    winner: list[int] | None,
    bounds: Sequence[Constraint],
    units: Mapping[str, str],
    name: str,
) -> Figure:
    trials = [trial for trial in facts["trials"] if trial["accuracy"] is not None]
    told = facts["front"] if "front" in facts["summary"] else view.front_of(facts["trials"], metric)
    front = [facts["trials"][i] for i in told]
    chosen = [trial for trial in trials if trial["arch"] == winner]
    limits = [bound for bound in bounds if bound.metric == metric]
    unit = named(metric, units.get(metric, ""))

    def draw(axes: Sequence[Axes]) -> None:
        (axis,) = axes
        costs, scores = _points(trials, metric)
        many = len(trials) > MANY
        axis.scatter(
            costs, scores, s=16, color=COLOURS[0], alpha=0.55, label="candidates", rasterized=many, linewidth=0
        )
        costs, scores = _points(sorted(front, key=lambda trial: trial["costs"][metric]), metric)
        axis.plot(costs, scores, color=COLOURS[1], marker="o", markersize=5, linewidth=1.4, label="front")
        if chosen:
            axis.scatter(*_points(chosen, metric), s=150, marker="*", color=DARK, label="chosen", zorder=4)
        for bound in limits:
            axis.axvline(bound.bound, color=COLOURS[4], linestyle="--", linewidth=1.4, label=str(bound))
        axis.set_xlabel(unit)
        axis.set_ylabel("accuracy in the search")
        legend(axis, loc="best")

    cheapest, dearest = (pick(trial["costs"][metric] for trial in trials) for pick in (min, max))
    best = max(trial["accuracy"] for trial in trials)
    said = f"; chosen: {compact(chosen[0]['arch'])} with {chosen[0]['accuracy']:.4f}" if chosen else ""
    span = f"{metric} from {show(cheapest)} to {show(dearest)}"
    within = f", within {' and '.join(map(str, limits))}" if limits else ""
    best_of = f"{len(trials):,} candidates, {span}, best accuracy {best:.4f}"
    words = f"{best_of}{said}; {len(front)} on the front{within}."
    return Figure(f"cost against score: {metric}", plotted(f"{name}-{metric}", words, draw, height=4.2), words)


def _points(trials: Sequence[Trial], metric: str) -> tuple[list[float], list[float]]:
    return [trial["costs"][metric] for trial in trials], [trial["accuracy"] for trial in trials]


def _growth(so_far: Sequence[float | None], name: str) -> Figure:
    points = [(i, value) for i, value in enumerate(so_far, 1) if value is not None]
    reached = next(i for i, value in points if value == points[-1][1])
    words = f"From {points[0][1]:.4f} to {points[-1][1]:.4f}, reached by candidate {reached:,} of {len(so_far):,}."

    def draw(axes: Sequence[Axes]) -> None:
        axes[0].step(*zip(*points, strict=True), where="post", color=COLOURS[0])
        axes[0].set_xlabel("candidates scored")
        axes[0].set_ylabel("best accuracy so far")

    return Figure("best so far", plotted(f"{name}-growth", words, draw, height=2.8), words)
