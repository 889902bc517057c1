"""Stages and components of other packages: real wheels, installed by pip, seen by the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.base import read_header
from tests.conftest import Command

QUANTIZE = '''
"""A stage and a search space of another package."""
from typing import Annotated

from nascli.artifacts.report import Report
from nascli.artifacts.reported import Reported
from nascli.component import Kind, Reference
from nascli.config import Config, shared
from nascli.run import Run
from nascli.search_space.tiny import Tiny
from nascli.stage import stage


class Narrow(Tiny):
    """Tiny with fewer channels."""

    class Config(Tiny.Config):
        width: int = 4

    config: Config


class QuantizeConfig(Config):
    search_space: Annotated[Reference, Kind("search_space")] = shared("narrow")
    bits: int = 8


@stage("quantize", examples=["nascli quantize -o q.json"])
def quantize(config: QuantizeConfig, run: Run) -> Report:
    """Quantize what was trained [elsewhere]."""
    space = config.search_space.build()
    return Report(Reported({"bits": config.bits, "width": space.config.width}))
'''

SHORTCUT = '''
"""A search that takes the first architecture."""
from typing import Annotated

from nascli.artifacts.architecture import Architecture, Choice
from nascli.component import Kind, Reference
from nascli.config import Config, shared
from nascli.run import Run
from nascli.search_space.base import record_of
from nascli.stage import stage


class SearchConfig(Config):
    search_space: Annotated[Reference, Kind("search_space")] = shared("tiny")


@stage("search", examples=["nascli search -o arch.npy"])
def search(config: SearchConfig, run: Run) -> Architecture:
    """Take the first architecture."""
    space = config.search_space.build().space
    return Architecture(Choice((0,) * len(space.decisions)), space=record_of(config.search_space, space))
'''

# package → module, its text, entry points
PACKAGES = {
    "nascli-quantize": (
        "quantize_stage",
        QUANTIZE,
        "[nascli.stages]\nquantize = quantize_stage:quantize\n[nascli.search_space]\nnarrow = quantize_stage:Narrow\n",
    ),
    "Shortcut.Search": ("shortcut", SHORTCUT, "[nascli.stages]\nsearch = shortcut:search\n"),
    "broken-stage": ("broken", "import not_installed\n", "[nascli.stages]\nprune = broken:prune\n"),
    "rival-space": ("rival", "raise SystemExit(7)\n", "[nascli.search_space]\ntiny = rival:Tiny\n"),
    "mislabelled": (
        "mislabelled",
        "from stages.search import search\n\ndef plain(): ...\n",
        "[nascli.stages]\nquest = mislabelled:search\nplain = mislabelled:plain\n",
    ),
}

Installed = Callable[..., dict[str, str]]


def wheel(folder: Path, package: str, module: str, text: str, entry_points: str) -> Path:
    """A wheel is a zip of modules and metadata."""
    name = package.replace("-", "_").replace(".", "_")
    info = f"{name}-1.0.dist-info"
    files = {
        f"{module}.py": text,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": entry_points,
    }
    record = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(file, content)
    return path


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Every package, installed by pip into a folder of its own."""
    root = tmp_path_factory.mktemp("packages")
    for package, parts in PACKAGES.items():
        built = wheel(root, package, *parts)
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--no-compile"]
        subprocess.run([*command, "--disable-pip-version-check", "--target", root / package, built], check=True)
    return {package: root / package for package in PACKAGES}


@pytest.fixture
def installed(folders: Mapping[str, Path]) -> Installed:
    """The environment in which these packages are installed beside nascli."""
    return lambda *packages: {"PYTHONPATH": os.pathsep.join(str(folders[package]) for package in packages)}


# --- a stage more ----------------------------------------------------------------------------------------------------


def test_an_extra_stage_stands_behind_the_built_in_ones(nascli: Command, installed: Installed) -> None:
    text = nascli("--help", **installed("nascli-quantize")).stdout
    pipeline = text[text.index("Pipeline") : text.index("Components")]
    assert pipeline.index(" evaluate ") < pipeline.index(" quantize ")
    assert "Quantize what was trained [elsewhere]." in pipeline


def test_an_extra_stage_runs_and_writes_its_artifact(nascli: Command, installed: Installed, tmp_path: Path) -> None:
    done = nascli("quantize", "-o", "q.json", "--set", "bits=4", "-q", **installed("nascli-quantize"))
    assert (done.returncode, done.stdout) == (0, "q.json\n"), done.stderr
    assert json.loads((tmp_path / "q.json").read_text())["report"] == {"bits": 4, "width": 4}
    assert read_header(tmp_path / "q.json").config["bits"] == 4


def test_an_extra_stage_has_a_section_that_all_stages_accept(
    nascli: Command, installed: Installed, tmp_path: Path
) -> None:
    (tmp_path / "run.yaml").write_text("quantize: {bits: 2}\nsearch_space: {use: narrow, width: 6}\n")
    env = installed("nascli-quantize")
    assert nascli("quantize", "-c", "run.yaml", "-o", "q.json", **env).returncode == 0
    assert json.loads((tmp_path / "q.json").read_text())["report"] == {"bits": 2, "width": 6}
    assert nascli("build-lut", "-c", "run.yaml", "-o", "lut.h5", "--dry-run", **env).returncode == 0


def test_an_extra_component_is_used_by_name_and_found_again(
    nascli: Command, installed: Installed, tmp_path: Path
) -> None:
    env = installed("nascli-quantize")
    assert nascli("build-lut", "--search-space", "narrow", "-o", "lut.h5", **env).returncode == 0
    assert read_header(tmp_path / "lut.h5").space.use == "narrow"
    options = ("--set", "evaluator=table", "--lut", "lut.h5", "--dry-run", "-o", "arch.npy")
    assert nascli("search", *options, **env).returncode == 0
    missing = nascli("search", *options)
    assert missing.returncode == 2
    assert "'narrow', which is not installed" in missing.stderr


# --- a stage instead -------------------------------------------------------------------------------------------------


def test_two_packages_with_one_stage_are_an_error_that_names_both(nascli: Command, installed: Installed) -> None:
    done = nascli("search", "-o", "arch.npy", **installed("Shortcut.Search"))
    assert done.returncode == 2
    assert "2 packages claim it: Shortcut.Search and nascli" in done.stderr
    assert "stages: {search: " in done.stderr


def test_two_packages_with_one_stage_leave_a_marked_line_in_the_help(nascli: Command, installed: Installed) -> None:
    done = nascli("--help", **installed("Shortcut.Search"))
    assert done.returncode == 0
    (line,) = [line for line in done.stdout.splitlines() if " search " in line and "(cannot be used" in line]
    assert "2 packages claim it: Shortcut.Search and nascli" in line


@pytest.mark.parametrize("config", [["-c", "run.yaml"], ["--config=run.yaml"], ["-crun.yaml"]], ids=" ".join)
@pytest.mark.parametrize(
    ("package", "text"),
    [
        ("shortcut-search", "Take the first architecture."),
        ("nascli", "Search for the best architecture that meets the constraints."),
    ],
)
def test_the_yaml_says_whose_stage_it_is(
    nascli: Command, installed: Installed, tmp_path: Path, config: list[str], package: str, text: str
) -> None:
    (tmp_path / "run.yaml").write_text(f"stages: {{search: {package}}}\n")
    assert text in nascli("search", *config, "--help", **installed("Shortcut.Search")).stdout


def test_a_replaced_stage_writes_what_the_next_one_reads(nascli: Command, installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("stages: {search: Shortcut.Search}\nsearch_space: {use: tiny, width: 8}\n")
    done = nascli("search", "-c", "run.yaml", "-o", "arch.npy", "-q", **installed("Shortcut.Search"))
    assert (done.returncode, done.stdout) == (0, "arch.npy\n"), done.stderr
    assert Architecture.open(tmp_path / "arch.npy").payload.arch == (0,) * 6


def test_other_stages_accept_a_yaml_with_settings_of_either_package(
    nascli: Command, installed: Installed, tmp_path: Path
) -> None:
    (tmp_path / "run.yaml").write_text("constraint: ['macs<=3e5']\nsearch: {max_evaluations: 3}\n")
    done = nascli("build-lut", "-c", "run.yaml", "-o", "lut.h5", "--dry-run", **installed("Shortcut.Search"))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stages: {search: not-installed}", "the package 'not-installed' has no stage 'search'"),
        ("stages: {search: 3}", "the package '3' has no stage 'search'"),
        ("stages: {serach: nascli}", "no stage is called 'serach'; did you mean 'search'?"),
        ("stages: nascli", "'stages' names packages"),
    ],
)
def test_a_wrong_choice_is_refused_with_its_place(nascli: Command, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "run.yaml").write_text(f"# a pipeline\n{text}\n")
    done = nascli("build-lut", "-c", "run.yaml", "-o", "lut.h5")
    assert done.returncode == 2
    assert f"run.yaml:2: {said}" in done.stderr
    assert not (tmp_path / "lut.h5").exists()


def test_the_choice_is_not_passed_over_on_the_command_line(nascli: Command) -> None:
    done = nascli("build-lut", "-o", "lut.h5", "--set", "stages.search=nascli")
    assert done.returncode == 2
    assert "the YAML alone says" in done.stderr


# --- what does not work ----------------------------------------------------------------------------------------------


def test_a_stage_that_does_not_import_is_a_marked_line_in_the_help(nascli: Command, installed: Installed) -> None:
    done = nascli("--help", **installed("broken-stage"))
    assert done.returncode == 0
    (line,) = [line for line in done.stdout.splitlines() if " prune " in line]
    assert "(cannot be used: ModuleNotFoundError: No module named 'not_installed')" in line


def test_a_stage_that_does_not_import_says_why_when_it_is_called(nascli: Command, installed: Installed) -> None:
    done = nascli("prune", "--model", "model.pt", "-o", "small.pt", **installed("broken-stage"))
    assert done.returncode == 2
    assert "the stage 'prune' cannot be used" in done.stderr
    assert "No module named 'not_installed'" in done.stderr
    assert "broken-stage" in done.stderr


@pytest.mark.parametrize(("name", "why"), [("quest", "of another name, 'search'"), ("plain", "is not a stage")])
def test_what_is_no_stage_of_that_name_is_refused(nascli: Command, installed: Installed, name: str, why: str) -> None:
    done = nascli(name, "-o", "result.json", **installed("mislabelled"))
    assert done.returncode == 2
    assert why in done.stderr


def test_two_packages_with_one_component_are_an_error_that_names_both(nascli: Command, installed: Installed) -> None:
    done = nascli("build-lut", "-o", "lut.h5", "--search-space", "tiny", **installed("rival-space"))
    assert done.returncode == 2
    assert "2 packages claim the search_space 'tiny': nascli and rival-space" in done.stderr
    assert "nascli.search_space.tiny:Tiny" in done.stderr


@pytest.mark.parametrize("space", ["narrow", "nascli.search_space.tiny:Tiny"])
def test_other_components_keep_working_beside_a_claimed_name(nascli: Command, installed: Installed, space: str) -> None:
    env = installed("rival-space", "nascli-quantize")
    done = nascli("quantize", "--search-space", space, "-o", "q.json", **env)
    assert done.returncode == 0, done.stderr


def test_the_list_shows_both_packages_of_a_claimed_name(nascli: Command, installed: Installed) -> None:
    done = nascli("list", "search-space", "--json", **installed("rival-space"))
    rows = json.loads(done.stdout)["components"]
    assert [row["package"] for row in rows if row["name"] == "tiny"] == ["nascli", "rival-space"]
