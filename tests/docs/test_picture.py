"""The README's picture: what its script draws of a run."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from nascli.artifacts.history import History
from nascli.cli import run
from tests.conftest import ROOT

SVG = "{http://www.w3.org/2000/svg}"
SETTINGS = """
search_space: {use: tiny, width: 4}
dataflow: {use: digits, batch_size: 256}
constraint: ['macs<=6e4']
train_supernet: {epochs: 1, panel: 0}
search: {max_evaluations: 7, evaluator: {use: supernet, calibration_images: 64}}
retrain: {epochs: 1}
"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The folder of a short run, and its picture."""
    folder = tmp_path_factory.mktemp("run")
    lut, supernet, arch, model, report = (
        str(folder / name) for name in ("lut.h5", "supernet.pt", "arch.npy", "model.pt", "report.json")
    )
    (folder / "my.yaml").write_text(SETTINGS)
    options = ["-q", "-c", str(folder / "my.yaml"), "-o"]
    assert run(["build-lut", *options, lut]) == 0
    assert run(["train-supernet", *options, supernet]) == 0
    assert run(["search", "--lut", lut, "--supernet", supernet, *options, arch]) == 0
    assert run(["retrain", "--arch", arch, *options, model]) == 0
    assert run(["evaluate", "--model", model, "--lut", lut, *options, report]) == 0
    picture = runpy.run_path(str(ROOT / "docs/picture.py"))["picture"]
    return folder, ElementTree.fromstring(picture(folder))


def words(picture: Any) -> list[str]:
    return [element.text for element in picture.iter(f"{SVG}text")]


def test_every_architecture_that_was_tried_is_a_dot_and_the_best_has_a_ring(drawn: tuple[Path, Any]) -> None:
    folder, picture = drawn
    circles = list(picture.iter(f"{SVG}circle"))
    dots = [circle for circle in circles if circle.get("fill") != "none"]
    (ring,) = [circle for circle in circles if circle.get("fill") == "none"]
    assert len(dots) == len(History.open(folder / "arch.history.h5").payload.archs) == 7
    assert float(ring.get("cy")) == min(float(dot.get("cy")) for dot in dots)


def test_every_file_of_the_run_and_the_constraint_are_named(drawn: tuple[Path, Any]) -> None:
    found = words(drawn[1])
    assert {"lut.h5", "supernet.pt", "arch.npy", "model.pt", "report.json", "macs<=60000", "best of 7 tried"} <= {
        *found
    }


def test_everything_lies_within_the_picture(drawn: tuple[Path, Any]) -> None:
    _, _, width, height = map(float, drawn[1].get("viewBox").split())
    for element in drawn[1].iter(f"{SVG}circle"):
        assert 0 < float(element.get("cx")) < width
        assert 0 < float(element.get("cy")) < height


def test_the_picture_of_the_readme_is_of_the_quickstart() -> None:
    found = words(ElementTree.parse(ROOT / "docs/quickstart.svg").getroot())
    assert {"macs<=300000", "15,625 networks in one", "best of 120 tried"} <= {*found}
