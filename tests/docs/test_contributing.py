"""The table of rooms says what import-linter's contracts say."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from tests.conftest import ROOT

ROW = re.compile(r"^\| `(\w+)` \| (.+) \| (.+) \|$", re.MULTILINE)
ROOMS = ROW.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
CONTRACTS: Any = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
LAYERS = [re.split(r" [|:] ", layer) for layer in CONTRACTS[0]["layers"]]


def test_the_rooms_are_the_layers_in_their_order() -> None:
    assert [room for room, _, _ in ROOMS if room != "stages"] == [room for layer in LAYERS for room in layer]


def test_who_may_import_a_room_is_the_layer_above_and_those_above_that() -> None:
    told = {room: (set(re.findall(r"`(\w+)`", who)), "and above" in who) for room, _, who in ROOMS}
    for above, layer in zip([[], *LAYERS], LAYERS, strict=False):
        for room in layer:
            assert told[room] == (set(above), len(LAYERS[: LAYERS.index(layer)]) > 1), room


def test_nobody_imports_stages() -> None:
    (forbidden,) = [contract for contract in CONTRACTS if contract["type"] == "forbidden"]
    (apart,) = [contract for contract in CONTRACTS if contract["type"] == "independence"]
    assert (forbidden["source_modules"], forbidden["forbidden_modules"]) == (["nascli"], ["stages"])
    assert apart["modules"] == ["stages.*"]
    assert next(who for room, _, who in ROOMS if room == "stages").startswith("nobody")


def test_every_room_is_there() -> None:
    found = {
        path.stem for path in (ROOT / "nascli").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert found - {"__init__", "__main__"} == {room for room, _, _ in ROOMS} - {"stages"}
