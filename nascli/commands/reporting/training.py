"""Training curves from the log beside an artifact, and how the ranking of a supernet's panel settled."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nascli.artifacts.base import Artifact
from nascli.artifacts.model import Model
from nascli.artifacts.supernet import SupernetCheckpoint
from nascli.commands.reporting.material import Material, log_of, name_of
from nascli.commands.reporting.parts import Figure, Note, Part, Section, Table
from nascli.commands.reporting.plots import COLOURS, plotted
from nascli.console import show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CURVES = {"loss": "mean loss", "accuracy": "training accuracy", "lr": "learning rate"}
POINTS = 1500


def supernets(material: Material) -> Iterator[Section]:
    """One section a supernet: its curves and its panel."""
    for number, supernet in enumerate(material.of(SupernetCheckpoint)):
        parts = [*_curves(supernet, f"supernet{number}"), *_panel(supernet.header.summary, f"panel{number}")]
        yield Section(f"supernet-{number}", "Training of the supernet", name_of(supernet), parts)


def models(material: Material) -> Iterator[Section]:
    """One section a retrained network: its curves."""
    for number, model in enumerate(material.of(Model)):
        yield Section(f"model-{number}", "Retraining", name_of(model), [*_curves(model, f"model{number}"), _end(model)])


def _end(model: Model) -> Note:
    summary = model.header.summary
    said = [f"{name.removeprefix('train_')} {show(summary[name])}" for name in summary if name.startswith("train_")]
    return Note(f"At the end of {show(summary.get('epochs'))} epochs: {', '.join(said) or 'nothing was recorded'}.")


def _curves(artifact: Artifact[Any], name: str) -> Iterator[Part]:
    log = log_of(artifact)
    rows = [line for line in log or () if line["event"] == "train" and _finite(line.get("loss"))]
    if not rows:
        yield Note(f"No training curves: {name_of(artifact)}.run/log.jsonl is not beside {name_of(artifact)}.")
        return
    steps = artifact.header.summary.get("steps")
    if rows[-1]["step"] != steps:
        yield Note(
            f"The log ends at step {rows[-1]['step']:,}, the training at {show(steps)}: it may be another's.", True
        )
    per_epoch = _per_epoch(artifact.header.summary)
    rows = [*rows[: -1 : math.ceil(len(rows) / POINTS)], rows[-1]]
    shown = {key: words for key, words in CURVES.items() if any(_finite(row.get(key)) for row in rows)}

    def draw(axes: Sequence[Axes]) -> None:
        for i, (key, words) in enumerate(shown.items()):
            points = [(row["step"] / per_epoch, row[key]) for row in rows if _finite(row.get(key))]
            axes[i].plot(*zip(*points, strict=True), color=COLOURS[i])
            axes[i].set_ylabel(words)
        axes[-1].set_xlabel("step" if per_epoch == 1 else "epoch")

    words = _words(rows[0], rows[-1])
    drawing = plotted(f"{name}-curves", words, draw, rows=len(shown), height=0.9 + 1.4 * len(shown))
    yield Figure("training curves, means since the point before", drawing, words)


def _words(first: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    grown = [
        f"{key} from {first[key]:.4g} to {last[key]:.4g}"
        for key in ("loss", "accuracy")
        if _finite(first.get(key)) and _finite(last.get(key))
    ]
    speed = f", {last['images_per_s']:,.0f} images a second" if _finite(last.get("images_per_s")) else ""
    return f"{' and '.join(grown)} in {last['step']:,} steps{speed}."


def _per_epoch(summary: Mapping[str, Any]) -> float:
    steps, epochs = summary.get("steps"), summary.get("epochs")
    if isinstance(steps, int) and isinstance(epochs, int) and steps >= epochs > 0:
        return steps / epochs
    return 1


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _panel(summary: Mapping[str, Any], name: str) -> Iterator[Part]:
    """Accuracies of a few architectures while the weights grew, and Kendall's tau to the round before."""
    rounds, panel = summary.get("panel_rounds") or [], summary.get("panel") or {}
    if not rounds:
        yield Note("No panel: the supernet was not validated while it trained (train_supernet.panel).")
        return
    best = sorted(panel.items(), key=lambda item: -item[1])
    at_the_end = Table.of(
        ("the panel at the end", ["architecture", "accuracy"], [list(item) for item in best]), folded=True
    )
    if len(rounds) == 1:
        mean, spread = (show(rounds[0][key]) for key in ("mean", "spread"))
        yield Note(f"The panel, {len(panel)} architectures, was validated once: mean accuracy {mean}, spread {spread}.")
        yield at_the_end
        return
    yield _settling(rounds, len(panel), _per_epoch(summary), name)
    yield at_the_end


def _settling(rounds: Sequence[Mapping[str, Any]], size: int, per_epoch: float, name: str) -> Figure:
    x = [this["step"] / per_epoch for this in rounds]
    mean, spread = ([this[key] for this in rounds] for key in ("mean", "spread"))
    settled = [(at, this["tau"]) for at, this in zip(x, rounds, strict=True) if this["tau"] is not None]

    def draw(axes: Sequence[Axes]) -> None:
        axes[0].plot(x, mean, color=COLOURS[0], marker="o", markersize=4)
        low, high = ([m + sign * s for m, s in zip(mean, spread, strict=True)] for sign in (-1, 1))
        axes[0].fill_between(x, low, high, color=COLOURS[0], alpha=0.18, linewidth=0)
        axes[0].set_ylabel("accuracy ± spread")
        if settled:
            axes[1].plot(*zip(*settled, strict=True), color=COLOURS[1], marker="o", markersize=4)
        axes[1].set_ylim(-1.05, 1.05)
        axes[1].set_ylabel("Kendall's tau")
        axes[1].set_xlabel("step" if per_epoch == 1 else "epoch")

    last = f", tau to the round before {settled[-1][1]:.3f}" if settled else ""
    words = f"{size} architectures in {len(rounds)} rounds: mean accuracy {mean[0]:.3f} → {mean[-1]:.3f}{last}."
    drawing = plotted(name, words, draw, rows=2, height=4.0)
    return Figure("the panel: how its accuracies grew and its ranking settled", drawing, words)
