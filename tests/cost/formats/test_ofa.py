"""Latency tables of once-for-all and ProxylessNAS."""

from __future__ import annotations

from pathlib import Path

import pytest

from nascli.component import resolve
from nascli.cost.blocks import Blocks
from nascli.cost.formats.ofa import read
from nascli.cost.measurements import Row, Wanted
from nascli.errors import ArtifactError
from tests.conftest import Write

OPTIONS = {"use": "proxylessnas", "strides": "imagenet", "classes": 1000, "input_shape": (3, 224, 224)}
BLOCKS: Blocks = resolve("search_space", OPTIONS).build().cost_blocks()

ENTRY = "{{count: 9, mean: {}, var: 0.1}}"
KEYS = {
    "Conv-input:224x224x3-output:112x112x32": 10.5,
    "expanded_conv-input:112x112x32-output:112x112x16-expand:1-kernel:3-stride:1-idskip:0": 8.0,
    "expanded_conv-input:112x112x16-output:56x56x24-expand:3-kernel:5-stride:2-idskip:0": 7.5,
    "expanded_conv-input:56x56x24-output:56x56x24-expand:6-kernel:3-stride:1-idskip:1": 6.25,
    "expanded_conv-input:7x7x192-output:7x7x320-expand:6-kernel:7-stride:1-idskip:0": 5.5,
    "Conv_1-input:7x7x320-output:7x7x1280": 3.0,
    "expanded_conv-input:9x9x1-output:9x9x1-expand:6-kernel:7-stride:1-idskip:1": 77.0,
}


def table() -> str:
    return "".join(f"{key}: {ENTRY.format(value)}\n" for key, value in KEYS.items())


def rows(path: Path) -> dict[str, Row]:
    shapes = {block.id: f"{block.name} {block.shape}" for block in BLOCKS.blocks}
    return {shapes[str(row.block)]: row for row in read(path, BLOCKS, Wanted("latency_ms@pixel1"))}


FOUND = {
    "stem (3, 224, 224)": 10.5,
    "mobile_k3_e1 (32, 112, 112)": 8.0,
    "mobile_k5_e3 (16, 112, 112)": 7.5,
    "mobile_k3_e6 (24, 56, 56)": 6.25,
    "mobile_k7_e6 (192, 7, 7)": 5.5,
    "head (320, 7, 7)": 3.0,
}
IDENTITIES = {f"skip {shape}" for shape in ((24, 56, 56), (40, 28, 28), (80, 14, 14), (96, 14, 14), (192, 7, 7))}


def values(found: dict[str, Row]) -> dict[str, float]:
    return {name: float(str(row.value)) for name, row in found.items()}


def test_entries_are_blocks_and_identities_cost_nothing(write: Write) -> None:
    found = rows(write("pixel.yaml", table()))
    assert values(found) == FOUND | dict.fromkeys(IDENTITIES, 0.0)
    assert found["head (320, 7, 7)"].where == "line 6"
    assert {row.unit for row in found.values()} == {"ms"}


def test_the_classifier_of_proxylessnas_has_the_pooling_in_it(write: Write) -> None:
    text = table() + f"Logits-input:7x7x1280-output:1000: {ENTRY.format(2.0)}\n"
    found = values(rows(write("pixel.yaml", text)))
    assert (found["classifier (1280, 1, 1)"], found["pool (1280, 7, 7)"]) == (2.0, 0.0)


def test_that_of_once_for_all_has_an_entry_of_its_own(write: Write) -> None:
    text = table() + f"Logits-input:1x1x1280-output:1000: {ENTRY.format(2.0)}\n"
    text += f"AvgPool2D-input:7x7x1280-output:1x1x1280: {ENTRY.format(0.5)}\n"
    found = values(rows(write("note10.yaml", text)))
    assert (found["classifier (1280, 1, 1)"], found["pool (1280, 7, 7)"]) == (2.0, 0.5)


def test_later_tables_say_excitation_and_activation(write: Write) -> None:
    key = "expanded_conv-input:56x56x24-output:56x56x24-expand:6-kernel:3-stride:1-idskip:1"
    text = "".join(
        f"{key}-se:{se}-hs:{hs}: {ENTRY.format(v)}\n" for se, hs, v in ((0, 0, 1.0), (0, 1, 2.0), (1, 0, 3.0))
    )
    assert values(rows(write("note10.yaml", text)))["mobile_k3_e6 (24, 56, 56)"] == 1.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "is no YAML"),
        ("- a\n- b\n", "expected entries such as"),
        ("", "expected entries such as"),
        ("a: {mean: 1}\na: {mean: 2}\n", "line 2: 'a' stands twice"),
        ("a: {mean: 1}\nb: {count: 2}\n", "line 2 has no mean"),
        ("a: 3\n", "line 1 has no mean"),
    ],
)
def test_a_file_of_another_form_is_refused(write: Write, text: str, said: str) -> None:
    with pytest.raises(ArtifactError, match=said):
        rows(write("t.yaml", text))
