"""`nascli scaffold`: what it writes works at once; what it refuses leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import nascli.scaffold.writing as writing
from nascli.artifacts.base import read_header
from nascli.cli import run
from nascli.commands.scaffold import EXAMPLES
from nascli.errors import RunFailed, UsageError
from nascli.scaffold import KINDS, Scaffolded, scaffold
from tests.conftest import Command

CASES = [(kind, style) for kind, part in KINDS.items() for style in part.styles or (None,)]

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


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scaffolded]:
    """Everything that can be scaffolded, in one folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("written"))
        made = {f"my_{style or kind}": (kind, style) for kind, style in CASES}
        return {
            name: scaffold(kind, name, style=style, folder=Path("own parts/é")) for name, (kind, style) in made.items()
        }


def test_the_tests_that_it_writes_pass(
    written: dict[str, Scaffolded], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = next(tmp_path_factory.getbasetemp().glob("written*"))
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "own parts"]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=folder, check=False)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert len(written) == len(CASES)


def test_what_it_writes_is_formatted_and_without_lint(
    written: dict[str, Scaffolded], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = next(tmp_path_factory.getbasetemp().glob("written*"))
    for arguments in (["check", "--select", "E,F,I,B,UP,SIM,RUF"], ["format", "--check"]):
        options = ["--isolated", "--line-length", "120", "--no-cache", "."]
        command = [sys.executable, "-m", "ruff", *arguments, *options]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder / "own parts/é", check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_its_test_inherits_the_contract_in_three_lines(here: Path, kind: str) -> None:
    text = scaffold(kind, "my_idea").test.read_text()
    contract = "".join(map(str.title, kind.split("_"))) + "Contract"
    assert text.endswith(f"class TestMyIdea({contract}):\n    make = MyIdea\n")


def test_a_search_space_shows_the_four_parts(here: Path) -> None:
    text = scaffold("search-space", "my_idea").component.read_text()
    for part in ("superlayer(self, layer", "supernet(self", "model(self, arch", "lookup_table(self, meters"):
        assert f"    def {part}" in text


def test_the_pipeline_runs_with_several(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kinds = {
        "training-strategy": "training",
        "search-strategy": "search",
        "training-agent": "agent",
        "criterion": "loss",
    }
    for kind, name in kinds.items():
        assert run(["scaffold", kind, f"my_{name}", "--dir", "own"]) == 0
    (here / "run.yaml").write_text(SETTINGS + capsys.readouterr().out)
    evaluator = "search.evaluator={use: supernet, validation_images: 64, calibration_images: 64}"
    options = (
        "-c",
        "run.yaml",
        "--set",
        evaluator,
        "--set",
        "search.max_evaluations=6",
        "--set",
        "train_supernet.panel=0",
    )
    assert run(["train-supernet", "--epochs", "1", "-o", "supernet.pt", *options]) == 0
    assert run(["search", "--supernet", "supernet.pt", "-o", "arch.npy", *options]) == 0
    assert read_header(Path("arch.npy")).summary["evaluations"] == 6
    capsys.readouterr()
    assert run(["inspect", "--lineage", "arch.npy"]) == 0
    lineage = capsys.readouterr().out
    for kind, name in kinds.items():
        assert f"{kind.replace('-', ' ')}  my_{name}.py:My{name.title()}" in lineage


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


@pytest.mark.parametrize("kind", ["criteria", "search space", ""])
def test_a_kind_that_it_does_not_know_is_refused_with_those_that_it_knows(nascli: Command, kind: str) -> None:
    done = nascli("scaffold", kind, "my_idea")
    assert done.returncode == 2
    assert "search-space, training-strategy, search-strategy, training-agent, criterion, dataflow" in done.stderr
    assert ("did you mean" in done.stderr) == bool(kind)


@pytest.mark.parametrize(("kind", "style"), [("search-space", "graph"), ("criterion", "chain")])
def test_a_style_that_the_kind_has_not_is_refused(here: Path, kind: str, style: str) -> None:
    with pytest.raises(UsageError, match=f"no style '{style}'"):
        scaffold(kind, "my_idea", style=style)
    assert files(here) == []


def test_a_class_of_the_name_of_another_in_the_file_is_refused(here: Path) -> None:
    with pytest.raises(UsageError, match="'Loss' cannot be the name of the class"):
        scaffold("criterion", "loss")


@pytest.mark.parametrize(("kind", "broken"), [("criterion", "Loss(self.config.none)"), ("dataflow", "SHAPE[9]")])
def test_what_fails_when_it_is_built_is_not_written(
    here: Path, monkeypatch: pytest.MonkeyPatch, kind: str, broken: str
) -> None:
    good, rendered = (
        {"criterion": "Loss(self.config.epsilon)", "dataflow": "SHAPE, size, lambda"}[kind],
        writing._rendered,
    )
    wrong = broken if kind == "criterion" else f"{broken}, size, lambda"
    monkeypatch.setattr(
        writing, "_rendered", lambda *names: {f: t.replace(good, wrong) for f, t in rendered(*names).items()}
    )
    with pytest.raises(UsageError, match="would not work, nothing was written"):
        scaffold(kind, "my_idea")
    assert files(here) == []


def test_a_component_that_would_not_work_is_not_written(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = writing._rendered
    monkeypatch.setattr(
        writing,
        "_rendered",
        lambda *names: {f: t.replace("(AskTell)", "") for f, t in rendered(*names).items()},
    )
    with pytest.raises(UsageError, match=r"my_idea.py would not work, nothing was written: .* is not a SearchStrategy"):
        scaffold("search-strategy", "my_idea")
    assert files(here) == []


def test_a_file_that_appears_meanwhile_is_kept_and_the_other_is_taken_back(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_try", lambda *_: (here / "test_my_idea.py").write_text("mine"))
    with pytest.raises(RunFailed, match="cannot write") as caught:
        scaffold("search-strategy", "my_idea")
    assert caught.value.why == "File exists"
    assert files(here) == ["test_my_idea.py"]
    assert (here / "test_my_idea.py").read_text() == "mine"
