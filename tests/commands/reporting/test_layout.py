"""Graphs in rows: nothing overlaps, and edges lead down."""

from __future__ import annotations

import re
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from nascli.commands.reporting.layout import BOX, HEIGHT, LANE, Graph, laid_out


def graph(n: int, edges: list[tuple[int, int]]) -> Graph:
    made = Graph()
    for i in range(n):
        made.box(str(i), "kind", f"line {i}", full="", named=True)
    for a, b in edges:
        made.edge(str(a), str(b), "")
    return made


pairs = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda pair: pair[0] < pair[1]), max_size=16)


@given(pairs)
def test_boxes_do_not_overlap_and_stand_below_what_they_were_made_from(edges: list[tuple[int, int]]) -> None:
    drawn = laid_out(graph(8, edges))
    boxes = drawn["boxes"]
    for first, second in combinations(boxes, 2):
        assert abs(first["x"] - second["x"]) >= BOX or abs(first["y"] - second["y"]) >= HEIGHT
    for a, b in edges:
        assert boxes[b]["y"] >= boxes[a]["y"] + HEIGHT
    for box in boxes:
        assert 0 <= box["x"] <= drawn["width"] - BOX
        assert 0 <= box["y"] <= drawn["height"] - HEIGHT


@given(pairs)
def test_edges_pass_between_the_boxes(edges: list[tuple[int, int]]) -> None:
    drawn = laid_out(graph(8, edges))
    assert len(drawn["edges"]) == len(set(edges))
    for edge in drawn["edges"]:
        for x, y in re.findall(r"L(\S+) (\S+?)(?=[CL]|$)", edge["path"]):
            beside = [box for box in drawn["boxes"] if box["y"] + HEIGHT == float(y)]
            assert all(abs(box["x"] + BOX / 2 - float(x)) >= (BOX + LANE) / 2 for box in beside)


def test_a_file_replaces_what_was_known_by_its_role() -> None:
    made = graph(1, [])
    made.box("0", "kind", "role", full="", named=False)
    assert made.boxes["0"]["lines"] == ["line 0"]
    made.box("0", "kind", "file.npy", full="", named=True)
    assert made.boxes["0"]["lines"] == ["file.npy"]


def test_an_empty_graph_has_no_boxes() -> None:
    assert laid_out(Graph())["boxes"] == []
