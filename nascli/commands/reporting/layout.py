"""A graph in rows from top to bottom: what was made stands below what it was made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import Any

BOX, HEIGHT, GAP, BETWEEN, LANE, MARGIN = 190, 92, 22, 44, 14, 8
PHONE, SMALLEST = 330, 0.7  # pixels that a narrow screen has, and how far a wider graph shrinks before it is scrolled


@dataclass
class Graph:
    """Boxes by key, and the edges between them with their roles."""

    boxes: dict[str, dict[str, Any]] = field(default_factory=dict)
    edges: dict[tuple[str, str], str] = field(default_factory=dict)

    def box(self, key: str, kind: str, *lines: str, full: str, named: bool) -> None:
        """One box; a named one replaces one that was known by its role alone."""
        if named or key not in self.boxes:
            self.boxes[key] = {"kind": kind, "lines": [line for line in lines if line], "full": full, "named": named}

    def edge(self, source: str, target: str, role: str) -> None:
        """An edge from what something was made from."""
        self.edges.setdefault((source, target), role)


def laid_out(graph: Graph) -> dict[str, Any]:
    """Where boxes and edges go: "width", "height", "boxes" (x, y and what they say), "edges" (path and role)."""
    before: dict[str, set[str]] = {key: set() for key in graph.boxes}
    for source, target in graph.edges:
        before[target].add(source)
    level: dict[str, int] = {}
    for key in TopologicalSorter(before).static_order():
        level[key] = max((level[source] + 1 for source in before[key]), default=0)
    rows: list[list[str]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
    for key in graph.boxes:
        rows[level[key]].append(key)
    lanes = _lanes(graph, level, rows)
    return _placed(graph, rows, lanes)


def _lanes(graph: Graph, level: dict[str, int], rows: list[list[str]]) -> dict[tuple[str, str], list[str]]:
    """A free place in every row that a long edge crosses, and all places that each edge goes through."""
    routes = {}
    for source, target in graph.edges:
        between = [f"{source}>{target}@{row}" for row in range(level[source] + 1, level[target])]
        for row, place in enumerate(between, level[source] + 1):
            rows[row].append(place)
        routes[source, target] = [source, *between, target]
    return routes


def _placed(graph: Graph, rows: list[list[str]], routes: dict[tuple[str, str], list[str]]) -> dict[str, Any]:
    wide = {key: BOX if key in graph.boxes else LANE for row in rows for key in row}
    totals = [sum(wide[key] for key in row) + GAP * (len(row) - 1) for row in rows]
    width = max(totals, default=0) + 2 * MARGIN
    above: dict[str, list[str]] = {}
    for route in routes.values():
        for upper, lower in pairwise(route):
            above.setdefault(lower, []).append(upper)
    centre: dict[str, tuple[float, float]] = {}
    for number, row in enumerate(rows):
        row.sort(key=lambda key: sum(centre[up][0] for up in above.get(key, ())) / max(1, len(above.get(key, ()))))
        x, y = (width - totals[number]) / 2, MARGIN + number * (HEIGHT + BETWEEN)
        for key in row:
            centre[key] = x + wide[key] / 2, y
            x += wide[key] + GAP
    boxes = [{**box, "x": round(centre[key][0] - BOX / 2, 1), "y": centre[key][1]} for key, box in graph.boxes.items()]
    edges = [
        {"path": _path([centre[key] for key in route]), "role": graph.edges[pair]} for pair, route in routes.items()
    ]
    height = len(rows) * (HEIGHT + BETWEEN) - BETWEEN + 2 * MARGIN
    narrowest = round(SMALLEST * width) if width > PHONE / SMALLEST else min(PHONE, round(width))
    sizes = {"width": round(width), "height": height, "narrowest": narrowest, "box": BOX, "tall": HEIGHT}
    return {**sizes, "boxes": boxes, "edges": edges}


def _path(centres: list[tuple[float, float]]) -> str:
    """From the lower edge of a box through free places, each as high as a box, to the upper edge of another."""
    (x, y), *rest = centres
    parts = [f"M{x:.1f} {y + HEIGHT}"]
    y += HEIGHT
    for number, (to_x, to_y) in enumerate(rest, 1):
        middle = (y + to_y) / 2
        parts.append(f"C{x:.1f} {middle:.1f} {to_x:.1f} {middle:.1f} {to_x:.1f} {to_y}")
        x, y = to_x, to_y
        if number < len(rest):
            y += HEIGHT
            parts.append(f"L{x:.1f} {y}")
    return "".join(parts)
