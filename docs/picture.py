"""Draw a run for the README: the files that its stages made, and every architecture that its search tried.

    bash examples/quickstart.sh && python docs/picture.py out/quickstart docs/quickstart.svg

The folder holds lut.h5, supernet.pt, arch.npy, arch.history.h5, model.pt and report.json; the first metric and the
first constraint are drawn.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from nascli.commands.opening import open_any
from nascli.commands.views import as_json
from nascli.console import show
from nascli.cost.constraint import Constraint

NAMES = ("lut.h5", "supernet.pt", "arch.npy", "arch.history.h5", "model.pt", "report.json")
WIDTH, HEIGHT = 900, 520
LEFT, RIGHT, TOP, BOTTOM = 70, 880, 165, 465
INK, DIM, EARLY, LATE, BOUND, CHOSEN = "#1f2937", "#6b7280", (176, 196, 222), (30, 64, 120), "#b45309", "#b91c1c"

STYLE = f"text {{ font: 14px system-ui, sans-serif; fill: {INK} }} .dim {{ fill: {DIM}; font-size: 12.5px }}"


class Axis:
    """From a range of values to a range of pixels."""

    def __init__(self, values: Sequence[float], first: float, last: float) -> None:
        low, high = min(values), max(values)
        room = (high - low or 1) * 0.05
        self.low, self.high, self.first, self.last = low - 2 * room, high + room, first, last

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.first + share * (self.last - self.first), 1)

    def ticks(self) -> list[float]:
        """Round values, five or so."""
        step = 10.0 ** len(str(int((self.high - self.low) * 1000))) / 1e4
        step = next(step * factor for factor in (0.5, 1, 2, 5) if (self.high - self.low) / (step * factor) <= 7)
        return [i * step for i in range(int(self.low / step) + 1, int(self.high / step) + 1)]


def text(x: float, y: float, words: str, *, anchor: str = "start", dim: bool = False, colour: str = INK) -> str:
    """One line of text."""
    style = 'class="dim"' if dim else f'style="fill: {colour}"'
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" {style}>{escape(words)}</text>'


def files(run: dict[str, Any]) -> Iterator[str]:
    """A box for each artifact, with what is in it, and the stages between them."""
    arch, report = run["arch.npy"]["summary"], run["report.json"]["report"]
    metric = next(iter(arch["costs"]))
    cells = len(run["lut.h5"]["metrics"][metric]["cells"])
    boxes = [
        ("build-lut", "lut.h5", f"what {cells} blocks cost"),
        ("train-supernet", "supernet.pt", f"{show(int(arch['of']))} networks in one"),
        ("search", "arch.npy", f"best of {arch['evaluations']} tried"),
        ("retrain", "model.pt", f"{show(arch['costs'][metric])} {metric}"),
        ("evaluate", "report.json", f"test images: {report['top1']:.1%}"),
    ]
    for i, (stage, name, told) in enumerate(boxes):
        x, width = 20 + 175 * i, 160
        yield text(x + width / 2, 38, f"nascli {stage}", anchor="middle", dim=True)
        yield f'<rect x="{x}" y="50" width="{width}" height="56" rx="8" fill="#f3f4f6" stroke="#9ca3af"/>'
        yield text(x + width / 2, 73, name, anchor="middle")
        yield text(x + width / 2, 94, told, anchor="middle", dim=True)
        if i:
            yield f'<path d="M{x - 14} 78h10m-5 -4l5 4l-5 4" fill="none" stroke="{DIM}"/>'


def tried(run: dict[str, Any]) -> Iterator[str]:
    """Cost against accuracy of every architecture of the search, with front and constraint."""
    history = run["arch.history.h5"]
    rows = history["trials"]
    metric = next(iter(rows[0]["costs"]))
    bound = Constraint.parse(history["summary"]["constraints"][0]).bound
    x = Axis([*(float(row["costs"][metric]) for row in rows), bound], LEFT, RIGHT)
    y = Axis([row["accuracy"] for row in rows if not row["error"]], BOTTOM, TOP)
    yield from axes(x, y, metric)
    yield f'<path d="M{x(bound)} {TOP}V{BOTTOM}" stroke="{BOUND}" stroke-width="2" stroke-dasharray="6 4"/>'
    yield text(x(bound) - 8, BOTTOM - 10, history["summary"]["constraints"][0], anchor="end", colour=BOUND)
    for i, row in enumerate(rows):
        if not row["error"]:
            colour = "rgb({},{},{})".format(
                *(round(a + (b - a) * i / len(rows)) for a, b in zip(EARLY, LATE, strict=True))
            )
            yield f'<circle cx="{x(row["costs"][metric])}" cy="{y(row["accuracy"])}" r="4.5" fill="{colour}"/>'
    front = "".join(f"H{x(rows[i]['costs'][metric])}V{y(rows[i]['accuracy'])}" for i in history["front"])
    yield f'<path d="M{LEFT} {BOTTOM}{front}" fill="none" stroke="{CHOSEN}" stroke-width="1.2"/>'
    best = rows[history["best"][0]]
    at = x(best["costs"][metric]), y(best["accuracy"])
    yield f'<circle cx="{at[0]}" cy="{at[1]}" r="8" fill="none" stroke="{CHOSEN}" stroke-width="2.5"/>'
    yield text(at[0] - 10, at[1] - 12, "arch.npy", anchor="end", colour=CHOSEN)


def axes(x: Axis, y: Axis, metric: str) -> Iterator[str]:
    """Lines, ticks and what they count."""
    yield f'<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}" fill="none" stroke="{DIM}"/>'
    for value in x.ticks():
        yield text(x(value), BOTTOM + 20, show(round(value)), anchor="middle", dim=True)
    for value in y.ticks():
        yield f'<path d="M{LEFT} {y(value)}H{RIGHT}" stroke="#e5e7eb"/>'
        yield text(LEFT - 8, y(value) + 4, f"{value:.0%}", anchor="end", dim=True)
    yield text(
        LEFT, TOP - 22, "accuracy on validation images with the supernet's weights; pale: tried early, dark: late"
    )
    yield text(RIGHT, BOTTOM + 42, f"{metric} of the architecture", anchor="end")


def picture(folder: Path) -> str:
    """The SVG of a run."""
    title = "A run of the quickstart: five stages, five files, and every architecture that the search tried"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
    ground = f'<rect width="{WIDTH}" height="{HEIGHT}" rx="10" fill="#ffffff"/>'
    run = {path.name: as_json(open_any(path)) for path in (folder / name for name in NAMES)}
    parts = [head, f"<title>{title}</title>", f"<style>{STYLE}</style>", ground, *files(run), *tried(run), "</svg>"]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(picture(Path(sys.argv[1])), encoding="utf-8")
