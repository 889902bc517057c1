"""The evaluation of a network: its figures, which classes are confused, and the images it got most wrong."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nascli.artifacts.mistakes import Mistakes
from nascli.artifacts.report import Report
from nascli.commands.reporting.material import Material, name_of
from nascli.commands.reporting.parts import Cell, Diagram, Figure, Note, Part, Section, Table
from nascli.commands.reporting.plots import plotted
from nascli.commands.views import as_json
from nascli.commands.views import report as view
from nascli.commands.views.common import View
from nascli.console import show

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.axes import Axes

CLASSES = 30  # of a matrix that is written as a table
WORST = view.TITLES["mistakes"]
SIDE = 96  # pixels of a picture


def sections(material: Material) -> Iterator[Section]:
    """One section a report."""
    for number, report in enumerate(material.of(Report)):
        facts = as_json(report)
        classes = list(report.header.data.classes) if report.header.data else []
        mistakes = material.sibling(report, Mistakes)
        result, *others = view.tables(facts)
        tables = {table[0]: table for table in others}
        costs, clock, wrong = (tables.pop(title, None) for title in (view.COSTS, view.CONDITIONS, WORST))
        parts: list[Part] = [Note(text, warns=True) for text in view.warnings(facts)]
        parts.append(Table.of(("figures", *result[1:])))
        parts += (
            [Table.of((costs[0], costs[1][:3], [row[:3] for row in costs[2]]))] if costs else []
        )  # doubts are notes
        parts += [*_matrix(facts["report"].get("confusion_matrix"), classes, f"confusion{number}")]
        parts += [Table.of(table, folded=len(table[2]) > CLASSES) for table in tables.values()]
        parts += [*_mistakes(facts["report"].get("mistakes"), wrong, mistakes)]
        parts += [Table.of(clock, folded=True)] if clock else []
        conventions: list[list[object]] = [list(item) for item in report.header.conventions.items()]
        if conventions:
            parts.append(Table.of(("what the numbers count", ["number", "meaning"], conventions), folded=True))
        yield Section(f"evaluation-{number}", "Evaluation on the test set", name_of(report), parts)


def _matrix(counts: Any, classes: Sequence[str], name: str) -> Iterator[Part]:
    """How many images of each class were called what, shaded by their share of the class."""
    n = len(classes)
    if counts is None or [len(row) for row in counts] != [n] * n:
        yield Note("No confusion matrix: the report has none, which only classification makes.")
        return
    wrong = sum(count for i, row in enumerate(counts) for j, count in enumerate(row) if i != j)
    title = "confusion matrix: images of each class (rows) that were called so (columns)"
    if n > CLASSES:
        words = f"{n} classes, {wrong:,} of {sum(map(sum, counts)):,} test images off the diagonal."
        yield Figure(title, plotted(name, words, lambda axes: _image(axes[0], counts), height=5.4), words)
        return
    rows = [
        [Cell(own), *(_count(count, sum(row), own, called) for count, called in zip(row, classes, strict=True))]
        for own, row in zip(classes, counts, strict=True)
    ]
    yield Table(title, ["class", *classes], rows)


def _count(count: int, images: int, own: str, called: str) -> Cell:
    share = count / images if images else 0.0
    return Cell(f"{count:,}", share**0.5, f"{count:,} of {images:,} '{own}' called '{called}'", number=True)


def _image(axes: Axes, counts: Sequence[Sequence[int]]) -> None:
    import numpy as np

    table = np.array(counts, dtype=float)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares**0.5, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    axes.grid(visible=False)
    axes.set_xlabel("number of the class it was called")
    axes.set_ylabel("number of its class")


def _mistakes(told: Any, table: View | None, pictures: Mistakes | None) -> Iterator[Part]:
    """The worst mistakes with their images, where these are beside the report; else in words."""
    if told == []:
        yield Note("No mistakes: every test image was called what it is, or none was asked for.")
    elif table is None:
        yield Note("No mistakes: the report tells of none in particular.")
    elif pictures is None or "image" not in table[1]:
        yield Note("The images of the mistakes are not beside the report; they are told in words.")
        yield Table.of(table)
    else:
        payload = pictures.payload
        images = dict(zip(payload.places.tolist(), payload.images, strict=True))
        items = [_told(item) | {"picture": picture(images[item["image"]])} for item in told if item["image"] in images]
        yield Diagram("gallery", "worst mistakes: the images whose own class seemed least likely", {"items": items})


def _told(item: Mapping[str, Any]) -> dict[str, Any]:
    """A mistake in words: "alt", a heading and what else is known of it."""
    what = " called ".join(str(item[key]) for key in ("true", "predicted") if key in item)
    words = {"probability": "probability {}", "true_probability": "of its own class {}", "image": "image {}"}
    more = [text.format(show(item[key])) for key, text in words.items() if key in item]
    return {"heading": what, "more": ", ".join(more), "alt": f"test image {item['image']}: {what}"}


def picture(pixels: npt.NDArray[np.uint8]) -> str:
    """An image uint8 (C, H, W) as a PNG in a data URI, at most `SIDE` pixels wide and high."""
    from PIL import Image

    plane = pixels.transpose(1, 2, 0) if len(pixels) == 3 else pixels[0]
    image = Image.fromarray(plane)
    image.thumbnail((SIDE, SIDE))
    stream = io.BytesIO()
    image.save(stream, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
