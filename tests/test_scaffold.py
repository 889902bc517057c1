"""`nascli scaffold`: what it writes works at once; what it refuses leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import nascli.scaffold
from nascli.commands.scaffold import EXAMPLES
from nascli.errors import RunFailed, UsageError
from nascli.scaffold import scaffold
from tests.conftest import Command

KINDS = ("training-strategy", "search-strategy")

SETTINGS = """
search_space: {use: tiny, input_shape: [1, 8, 8], classes: 10, width: 4}
dataflow: {use: digits, batch_size: 512, valid_share: 0.2}
constraint: ['macs<=3e4']
threads: 1
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# --- what is written -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("folder", [".", "own parts/é"])
def test_the_test_it_writes_passes(here: Path, kind: str, folder: str) -> None:
    made = scaffold(kind, "my_idea", folder=Path(folder))
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", str(made.test)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_writes_is_formatted_and_without_lint(here: Path, kind: str) -> None:
    scaffold(kind, "my_idea")
    for arguments in (["check", "--select", "E,F,I,B,UP,SIM,RUF"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *arguments, "--isolated", "--line-length", "120", "--no-cache", "."]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_the_pipeline_runs_with_both(nascli: Command, tmp_path: Path) -> None:
    lines = [nascli("scaffold", kind, f"my_{kind.partition('-')[0]}", "--dir", "own").stdout for kind in KINDS]
    (tmp_path / "run.yaml").write_text(SETTINGS + "".join(lines))
    evaluator = "search.evaluator={use: supernet, validation_images: 64, calibration_images: 64}"
    options = ("-c", "run.yaml", "--set", evaluator, "--set", "search.max_evaluations=6")
    trained = nascli("train-supernet", "--epochs", "1", "-o", "supernet.pt", "--json", *options)
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)["config"]["training_strategy"]["use"] == "my_training.py:MyTraining"
    found = nascli("search", "--supernet", "supernet.pt", "-o", "arch.npy", "--json", *options)
    assert found.returncode == 0, found.stderr
    facts = json.loads(found.stdout)
    assert facts["config"]["search_strategy"]["use"] == "my_search.py:MySearch"
    assert facts["summary"]["evaluations"] == 6


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_its_help_page_run(nascli: Command, example: str) -> None:
    assert nascli(*example.split()[1:]).returncode == 0
    assert example in nascli("scaffold", "--help", COLUMNS="200").stdout


def test_it_prints_the_settings_that_use_it(nascli: Command) -> None:
    done = nascli("scaffold", "search-strategy", "my_idea", "--dir", "own: parts")
    assert yaml.safe_load(done.stdout) == {"search": {"search_strategy": "./own: parts/my_idea.py:MyIdea"}}
    assert "wrote own: parts/my_idea.py and own: parts/test_my_idea.py" in done.stderr


def test_quiet_prints_the_paths(nascli: Command, tmp_path: Path) -> None:
    done = nascli("scaffold", "training_strategy", "my_idea", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "my_idea.py\ntest_my_idea.py\n", "")
    assert files(tmp_path) == ["my_idea.py", "test_my_idea.py"]


def test_json_prints_one_object(nascli: Command) -> None:
    done = nascli("scaffold", "training-strategy", "my_idea", "--class-name", "Pairs", "--json")
    assert json.loads(done.stdout) == {
        "kind": "training_strategy",
        "component": "my_idea.py",
        "test": "test_my_idea.py",
        "reference": "./my_idea.py:Pairs",
        "settings": {"train_supernet": {"training_strategy": "./my_idea.py:Pairs"}},
    }


def test_a_folder_that_is_a_link_within_the_working_folder_is_followed(here: Path) -> None:
    (here / "real").mkdir()
    (here / "link").symlink_to("real")
    assert scaffold("search-strategy", "my_idea", folder=Path("link")).reference == "./real/my_idea.py:MyIdea"


def test_the_working_folder_may_itself_be_a_link(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(here)
    monkeypatch.chdir(tmp_path / "link")
    assert scaffold("search-strategy", "my_idea").reference == "./my_idea.py:MyIdea"


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("../x", "/etc/x", "a/b", "a\\b", "..", "", "1abc", "a-b", "a b", "a.py", "a\nb", "$(id)"),
        *("class", "None", "__init__", "_x", "x" * 65, "pаirs", "ﬁt", "é", "x\u200b"),
        *("random", "torch", "nascli", "numpy", "pytest"),
    ],
    ids=ascii,
)
def test_a_name_that_is_none_is_refused(here: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        scaffold("search-strategy", name)
    assert caught.value.exit_code == 2
    assert caught.value.hint.startswith("nascli scaffold search-strategy my_")
    assert files(here.parent) == ["work"]


@pytest.mark.parametrize(
    "name", ["", "class", "True", "1A", "A.B", "../A", "A(B)", "Ａ", "AskTell", "SearchStrategyContract", "int", "np"]
)
def test_a_class_name_that_is_none_or_hides_another_is_refused(here: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"name of .* class"):
        scaffold("search-strategy", "my_idea", name)
    assert files(here) == []


@pytest.mark.parametrize("there", ["my_idea.py", "test_my_idea.py"])
@pytest.mark.parametrize("as_link", [False, True])
def test_what_exists_is_kept_and_nothing_else_is_written(here: Path, there: str, as_link: bool) -> None:
    if as_link:
        (here / there).symlink_to(here.parent / "elsewhere.py")
    else:
        (here / there).write_text("mine")
    with pytest.raises(UsageError, match=f"{there} exists"):
        scaffold("search-strategy", "my_idea")
    assert files(here.parent) == ["work", f"work/{there}"]
    assert as_link or (here / there).read_text() == "mine"


@pytest.mark.parametrize("folder", ["..", "/tmp", "link", "link/below", "../beside"])
def test_a_folder_outside_the_working_folder_is_refused(here: Path, folder: str) -> None:
    (here.parent / "target").mkdir()
    (here / "link").symlink_to(here.parent / "target")
    with pytest.raises(UsageError, match="outside the working folder"):
        scaffold("search-strategy", "my_idea", folder=Path(folder))
    assert files(here.parent) == ["target", "work", "work/link"]


def test_a_folder_that_is_a_file_is_refused(here: Path) -> None:
    (here / "file").write_text("")
    with pytest.raises(UsageError, match="no folder"):
        scaffold("search-strategy", "my_idea", folder=Path("file"))


@pytest.mark.parametrize("kind", ["criterion", "search space", ""])
def test_a_kind_that_it_does_not_know_is_refused_with_those_that_it_knows(nascli: Command, kind: str) -> None:
    done = nascli("scaffold", kind, "my_idea")
    assert done.returncode == 2
    assert "training-strategy, search-strategy" in done.stderr


def test_a_component_that_would_not_work_is_not_written(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = nascli.scaffold._rendered
    monkeypatch.setattr(
        nascli.scaffold,
        "_rendered",
        lambda *names: {f: t.replace("(AskTell)", "") for f, t in rendered(*names).items()},
    )
    with pytest.raises(UsageError, match=r"my_idea.py would not work, nothing was written: .* is not a SearchStrategy"):
        scaffold("search-strategy", "my_idea")
    assert files(here) == []


def test_a_file_that_appears_meanwhile_is_kept_and_the_other_is_taken_back(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nascli.scaffold, "_check", lambda *_: (here / "test_my_idea.py").write_text("mine"))
    with pytest.raises(RunFailed, match="cannot write") as caught:
        scaffold("search-strategy", "my_idea")
    assert caught.value.why == "File exists"
    assert files(here) == ["test_my_idea.py"]
    assert (here / "test_my_idea.py").read_text() == "mine"
