"""`nascli list`: names, one line, where each comes from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nascli.component import KINDS, installed
from tests.commands.plugin import install
from tests.conftest import ROOT, Command


def listed(nascli: Command, *arguments: str, **env: str) -> dict[str, dict[str, Any]]:
    done = nascli("list", *arguments, "--json", **env)
    assert (done.returncode, done.stderr) == (0, "")
    return {entry["name"]: entry for entry in json.loads(done.stdout)["components"]}


def test_a_kind_gives_names_descriptions_and_places(nascli: Command) -> None:
    found = listed(nascli, "search-space")
    assert sorted(found) == ["nasbench_macro", "tiny"]
    tiny = found["tiny"]
    assert tiny["description"].startswith("Six layers of five candidates")
    assert (tiny["kind"], tiny["package"], tiny["class"]) == ("search_space", "nascli", "nascli.search_space.tiny:Tiny")
    source = (ROOT / "nascli/search_space/tiny.py").read_text().splitlines()
    assert source[tiny["line"] - 1].startswith("class Tiny(")


def test_without_a_kind_everything_is_listed(nascli: Command) -> None:
    names = {entry["kind"] for entry in json.loads(nascli("list", "--json").stdout)["components"]}
    assert names == {"stages", *KINDS}


def test_stages_stand_in_the_order_of_the_pipeline(nascli: Command) -> None:
    found = listed(nascli, "stages")
    assert [*found] == ["build-lut", "train-supernet", "search", "retrain", "evaluate"]
    assert found["search"]["description"] == "Search for the best architecture that meets the constraints."


@pytest.mark.parametrize("kind", ["search-strategy", "search_strategy"])
def test_a_person_sees_name_description_and_place(kind: str, nascli: Command) -> None:
    shown = nascli("list", kind, COLUMNS="200").stdout
    assert "Distinct architectures, uniform over the feasible set." in shown
    assert "nascli (nascli/search_strategy/random.py:" in shown


def test_an_unknown_kind_exits_2_with_the_closest(nascli: Command) -> None:
    done = nascli("list", "search-spaces")
    assert done.returncode == 2
    assert "did you mean 'search_space'?" in done.stderr


def test_every_built_in_component_says_what_it_is(nascli: Command) -> None:
    for kind in KINDS:
        found = listed(nascli, kind)
        assert found.keys() == installed(kind).keys()
        assert all(entry["description"].strip("( ") for entry in found.values())


def test_nothing_that_is_listed_is_imported(nascli: Command, tmp_path: Path) -> None:
    text = "[nascli.meter]\nwatts = heavy.deep:Watts\n"
    deep = 'class Watts:\n    """Power [W]."""\nraise Exception'
    files = {"heavy/__init__.py": "raise SystemExit", "heavy/deep.py": deep}
    path = install(tmp_path / "site", "heavy", text, files)
    watts = listed(nascli, "meter", PYTHONPATH=path)["watts"]
    assert (watts["package"], watts["description"], watts["line"]) == ("heavy", "Power [W].", 1)
    assert watts["file"] == str(tmp_path / "site/heavy/deep.py")


@pytest.mark.parametrize(
    ("files", "expected"),
    [({}, "(there is no module gone"), ({"gone.py": "class :"}, "(cannot be read: "), ({"gone.py": "Gone = 1"}, "")],
)
def test_a_broken_plugin_is_listed_with_the_reason(
    files: dict[str, str], expected: str, nascli: Command, tmp_path: Path
) -> None:
    path = install(tmp_path / "site", "broken", "[nascli.meter]\ngone = gone:Gone\n", files)
    assert listed(nascli, "meter", PYTHONPATH=path)["gone"]["description"].startswith(expected)


def test_a_name_that_two_packages_claim_is_listed_for_both(nascli: Command, tmp_path: Path) -> None:
    path = install(tmp_path / "site", "other", "[nascli.meter]\nmacs = other:Macs\n", {})
    done = nascli("list", "meter", "--json", PYTHONPATH=path)
    owners = [entry["package"] for entry in json.loads(done.stdout)["components"] if entry["name"] == "macs"]
    assert owners == ["nascli", "other"]


def test_list_imports_neither_torch_nor_numpy() -> None:
    code = (
        "import sys; from nascli.cli import run; run(['list']); print({'torch', 'numpy', 'h5py'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
