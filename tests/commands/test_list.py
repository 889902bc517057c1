"""`nascli list`: names, one line, where each comes from."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nascli.cli import run
from nascli.commands.costs import layers_of, measured, rounded, tables
from nascli.component import KINDS, installed, resolve
from nascli.cost.macs import Macs
from nascli.testing.randomness import no_global_randomness
from tests.commands.plugin import install
from tests.conftest import ROOT, Command


def listed(command: Command, *arguments: str, **env: str) -> dict[str, dict[str, Any]]:
    done = command("list", *arguments, "--json", **env)
    assert (done.returncode, done.stderr) == (0, "")
    return {entry["name"]: entry for entry in json.loads(done.stdout)["components"]}


def test_a_kind_gives_names_descriptions_and_places(in_process: Command) -> None:
    found = listed(in_process, "search-space")
    assert list(found) == list(installed("search_space"))
    tiny = found["tiny"]
    assert tiny["description"].startswith("Six layers of five candidates")
    assert (tiny["kind"], tiny["package"], tiny["class"]) == ("search_space", "nascli", "nascli.search_space.tiny:Tiny")
    source = (ROOT / "nascli/search_space/tiny.py").read_text().splitlines()
    assert source[tiny["line"] - 1].startswith("class Tiny(")


def test_without_a_kind_everything_is_listed(in_process: Command) -> None:
    names = {entry["kind"] for entry in json.loads(in_process("list", "--json").stdout)["components"]}
    assert names == {"stages", *KINDS, "block"}


def test_stages_stand_in_the_order_of_the_pipeline(in_process: Command) -> None:
    found = listed(in_process, "stages")
    assert [*found] == ["build-lut", "train-supernet", "search", "retrain", "evaluate"]
    assert found["search"]["description"] == "Search for the best architecture that meets the constraints."


@pytest.mark.parametrize("kind", ["search-strategy", "search_strategy"])
def test_a_person_sees_name_description_and_place(kind: str, in_process: Command) -> None:
    shown = in_process("list", kind, COLUMNS="200").stdout
    assert "Distinct architectures, uniform over the feasible set." in shown
    assert "nascli (nascli/search_strategy/random.py:" in shown


def test_an_unknown_kind_exits_2_with_the_closest(in_process: Command) -> None:
    done = in_process("list", "search-spaces")
    assert done.returncode == 2
    assert "did you mean 'search_space'?" in done.stderr


def test_every_built_in_component_says_what_it_is(in_process: Command) -> None:
    for kind in KINDS:
        found = listed(in_process, kind)
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


@pytest.fixture
def some_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if few search spaces were installed: measuring all of them takes long."""
    monkeypatch.setenv("COLUMNS", "200")
    few = {name: points for name, points in installed("search_space").items() if name in ("chain", "tiny")}
    monkeypatch.setattr("nascli.commands.list.installed", lambda kind: few)


@pytest.fixture(scope="module")
def tiny() -> dict[str, Any]:
    found = measured("tiny")
    assert found["error"] is None
    costs: dict[str, Any] = found["costs"]
    return costs


def test_costs_tell_the_size_of_a_space(tiny: dict[str, Any]) -> None:
    assert tiny["layers"] == [{"count": 6, "decisions": 1, "candidates": 5, "n_chosen": 1}]
    assert tiny["architectures"] == 5**6
    assert (tiny["input_shape"], tiny["classes"]) == ([1, 8, 8], 10)


def test_costs_count_the_parameters_of_the_whole_supernet(tiny: dict[str, Any]) -> None:
    supernet = resolve("search_space", "tiny").build().supernet()
    assert tiny["supernet_params"] == sum(parameter.numel() for parameter in supernet.parameters())


def test_costs_are_macs_of_uniform_architectures(tiny: dict[str, Any]) -> None:
    costs = resolve("search_space", "tiny").build().lookup_table([Macs()])
    everything = np.array(list(product(range(5), repeat=6)))
    totals = costs.total("macs", everything)
    macs = tiny["macs"]
    assert totals.min() <= macs["min"] < macs["median"] < macs["max"] <= totals.max()
    assert macs["median"] == pytest.approx(np.median(totals), rel=0.1)
    assert macs["exact"] is True


def test_costs_are_the_same_every_time_and_draw_from_no_global_generator(tiny: dict[str, Any]) -> None:
    with no_global_randomness():
        assert measured("tiny")["costs"] == tiny


def test_layers_of_unordered_decisions_are_counted_once() -> None:
    space = resolve("search_space", "sgnas").build().space
    layers = layers_of(space)
    assert layers == [{"count": 21, "decisions": 6, "candidates": 4, "n_chosen": 1}]


@pytest.mark.parametrize(
    ("number", "expected"),
    [(1, "1"), (15_625, "15,625"), (999_999, "999,999"), (4 * 10**18, "4.0e18"), (10**400, "1.0e400")],
)
def test_large_numbers_of_architectures_are_rounded_for_people(number: int, expected: str) -> None:
    assert rounded(number) == expected


@pytest.mark.usefixtures("some_spaces")
def test_a_space_that_cannot_be_built_is_a_row_with_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "search-space", "--costs", "--json"]) == 0
    chain, tiny = json.loads(capsys.readouterr().out)["components"]
    assert (chain["name"], chain["costs"]) == ("chain", None)
    assert "'search' is missing" in chain["error"]
    assert (tiny["name"], tiny["error"], tiny["class"]) == ("tiny", None, "nascli.search_space.tiny:Tiny")
    assert tiny["costs"]["architectures"] == 5**6


@pytest.mark.usefixtures("some_spaces")
def test_a_person_sees_layers_architectures_parameters_and_macs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "search_space", "--costs"]) == 0
    shown = capsys.readouterr().out
    for word in (
        "layers × candidates",
        "6 × 5",
        "15,625",
        "in millions",
        "supernet parameters",
        "MACs median",
        "not measured",
    ):
        assert word in shown


def test_choices_of_several_are_told_from_choices_of_one(tiny: dict[str, Any]) -> None:
    pairs = [
        {"count": 2, "decisions": 1, "candidates": 3, "n_chosen": 2},
        {"count": 1, "decisions": 1, "candidates": 4, "n_chosen": None},
    ]
    (_, _, rows), *_ = tables([{"name": "mine", "costs": {**tiny, "layers": pairs}, "error": None}])
    assert rows[0][2] == "2 × (2 of 3), 1 × (some of 4)"


@pytest.mark.parametrize("kind", [[], ["meter"], ["stages"]])
def test_costs_of_other_kinds_exit_2(kind: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", *kind, "--costs"]) == 2
    assert "nascli list search-space --costs" in capsys.readouterr().err


def test_a_plugin_that_fails_does_not_end_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "[nascli.search_space]\nbroken = broken_space:Broken\n"
    code = "from nascli.search_space.tiny import Tiny\nclass Broken(Tiny):\n    def supernet(self): return 1 / 0\n"
    monkeypatch.syspath_prepend(install(tmp_path / "site", "broken-space", text, {"broken_space.py": code}))
    assert measured("broken") == {"costs": None, "error": "ZeroDivisionError: division by zero"}


def test_blocks_are_listed_with_their_options(in_process: Command) -> None:
    found = listed(in_process, "block")
    assert found["mobile"]["options"][:4] == ["kernel", "expansion", "activation='relu6'", "se=False"]
    assert found["skip"]["options"] == []
    shown = in_process("list", "block", COLUMNS="250").stdout
    assert "Convolution, BatchNorm, activation. Options: kernel, activation='relu6'." in shown


def test_all_built_in_blocks_are_listed() -> None:
    from nascli.search_space.blocks.build import BUILDERS

    points = {name: point.load() for name, (point,) in installed("block").items() if point.value.startswith("nascli.")}
    assert points == BUILDERS


def test_a_name_shows_the_options_of_a_component(in_process: Command) -> None:
    done = in_process("list", "search-strategy", "evolution", COLUMNS="160")
    assert done.returncode == 0
    assert "Keep the best, mutate and cross them" in done.stdout
    line = next(line for line in done.stdout.splitlines() if "crossover" in line)
    assert all(words in line for words in ("number, 0 to 1", "0.5", "share of the offspring"))


def test_options_in_json_tell_nested_keys_and_what_is_required(in_process: Command) -> None:
    told = json.loads(in_process("list", "search_strategy", "generator", "--json").stdout)["component"]
    options = {option["key"]: option for option in told["options"]}
    assert (told["kind"], told["name"]) == ("search_strategy", "generator")
    assert options["temperature.start"]["default"] == "1.0"
    required = json.loads(in_process("list", "dataflow", "image_folder", "--json").stdout)["component"]["options"]
    assert {option["key"]: option["default"] for option in required}["path"] is None


def test_a_component_of_ones_own_shows_its_options(in_process: Command, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        '"""Mine."""\nfrom nascli.config import Config\nfrom nascli.search_strategy.random import Random\n'
        'class Mine(Random):\n    """Draws its own way."""\n    class Config(Config):\n        width: int = 7\n'
    )
    done = in_process("list", "search-strategy", f"{file}:Mine", COLUMNS="160")
    assert done.returncode == 0
    assert "Draws its own way" in done.stdout
    assert re.search(r"width\W+integer\W+7", done.stdout)


def test_a_component_without_options_says_so(in_process: Command) -> None:
    assert "It has no options." in in_process("list", "meter", "macs").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("search-strategy", "evolutoin"), "did you mean 'evolution'"),
        (("stages", "search"), "only components have options"),
        (("block", "skip"), "only components have options"),
        (("search-space", "tiny", "--costs"), "--costs are those of all search spaces"),
    ],
)
def test_a_name_without_options_to_show_exits_2(in_process: Command, arguments: tuple[str, str], said: str) -> None:
    done = in_process("list", *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_wrong_option_names_the_command_that_shows_all(in_process: Command, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("search:\n  search_strategy: {use: evolution, populaton: 3}\n")
    done = in_process("search", "-c", str(tmp_path / "run.yaml"), "-o", str(tmp_path / "a.npy"), "--dry-run")
    assert done.returncode == 2
    assert "nascli list search-strategy evolution" in done.stderr
