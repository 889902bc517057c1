"""Plots as SVG by matplotlib, an extra: text stays text, nothing is loaded from anywhere."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes

COLOURS = ("#0b5fa5", "#b34700", "#1b7a43", "#7a3e9d", "#b3261e", "#00707f", "#6b5200", "#444444")
DARK, GREY, LIGHT = "#1b1b1b", "#5a5a5a", "#dddddd"
MANY = 2000  # points beyond which they are drawn as pixels
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "nascli",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 11.5,
    "axes.edgecolor": GREY,
    "axes.labelcolor": DARK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": LIGHT,
    "text.color": DARK,
    "xtick.color": DARK,
    "ytick.color": DARK,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "none",
    "lines.linewidth": 1.8,
    "figure.dpi": 150,
}
WIDTH = 5.6

Draw = Callable[[Sequence["Axes"]], None]


def plotted(name: str, words: str, draw: Draw, *, rows: int = 1, height: float = 3.6) -> Markup:
    """What `draw` puts on `rows` axes below each other, as an inline SVG.

    Args:
        name: unique on the page; the ids of the drawing begin with it, whatever no id may have replaced.
        words: what it shows, for whoever does not see it.
        height: inches; it is `WIDTH` wide, and scaled to the page.
    """
    from markupsafe import Markup
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    stream = io.StringIO()
    style: Any = STYLE
    with rc_context(style), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # glyphs that the font lacks: the browser has others
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        draw(list(figure.subplots(rows, 1, squeeze=False, sharex=True)[:, 0]))
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(stream, format="svg", transparent=True, metadata=nothing)
    drawn, name = stream.getvalue(), re.sub(r"[^A-Za-z0-9]+", "-", name)
    box = re.search(r'viewBox="[^"]*"', drawn)
    assert box is not None
    inner = re.sub(r'( id="|xlink:href="#|url\(#)', rf"\g<1>{name}-", drawn[drawn.index(">", box.end()) + 1 :])
    head = Markup('<svg {} role="img" class="plot"><title>{}</title>').format(Markup(box[0]), words)
    return head + Markup(inner.replace("xlink:href", "href"))  # matplotlib escapes the text in it


def legend(axes: Axes, **options: Any) -> None:
    """The legend of what has a label, under the axes' upper edge."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(handles, labels, fontsize=10.5, **options)


def label(text: str) -> str:
    """A text as a label; one that begins with an underscore would be left out of the legend."""
    return f"\u200b{text}" if text.startswith("_") else text
