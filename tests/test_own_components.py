"""Results that were made with files of one's own, where these files are not, or have changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from nascli.artifacts.base import read_header
from nascli.cli import run
from nascli.component import digest_of
from nascli.scaffold import scaffold

SETTINGS = """
search_space: './space.py:Space_'
training_agent: './agent.py:Agent'
dataflow: {use: './stripes.py:Stripes', batch_size: 64, train_images: 120, test_images: 30}
threads: 1
train_supernet: {epochs: 1, panel: 0}
retrain: {epochs: 1}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a space, an agent and data of one's own, and what was made with them."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        scaffold("search-space", "space", "Space_")
        scaffold("training-agent", "agent")
        scaffold("dataflow", "stripes")
        Path("run.yaml").write_text(SETTINGS)
        options = ["-c", "run.yaml", "--set", "search_space.classes=3", "--set", "search_space.width=4", "-q"]
        assert run(["build-lut", *options, "-o", "lut.h5"]) == 0
        assert run(["train-supernet", *options, "-o", "supernet.pt"]) == 0
        assert run(["retrain", *options, "--arch", "0,1,2,3", "-o", "model.pt"]) == 0
    return folder


@pytest.fixture
def elsewhere(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the results alone."""
    for name in ("lut.h5", "supernet.pt", "model.pt"):
        shutil.copy(made / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bring(made: Path, *names: str) -> list[str]:
    """Copy files of one's own into the working folder; the options that name them."""
    for name in names:
        shutil.copy(made / name, name)
    options = {
        "space.py": ["--search-space", "./space.py:Space_"],
        "agent.py": ["--training-agent", "./agent.py:Agent"],
        "stripes.py": [
            "--dataflow",
            "./stripes.py:Stripes",
            "--set",
            "dataflow.train_images=120",
            "--set",
            "dataflow.test_images=30",
            "--set",
            "dataflow.batch_size=64",
        ],
    }
    chosen = [word for name in names for word in options[name]]
    sizes = ["--set", "search_space.classes=3", "--set", "search_space.width=4"]
    return [*chosen, *(sizes if "space.py" in names else [])]


@pytest.mark.parametrize("name", ["lut.h5", "supernet.pt", "model.pt"])
def test_inspect_needs_no_file_of_ones_own(elsewhere: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["inspect", name], ["inspect", "--lineage", name], ["inspect", "--check", name]):
        assert run(words) == 0
    assert "space.py:Space_" in capsys.readouterr().out


def test_the_lineage_names_every_file(made: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["inspect", "--lineage", "model.pt"])
    said = capsys.readouterr().out
    assert "search space  space.py:Space_" in said
    assert f"training agent  agent.py:Agent  {digest_of(made / 'agent.py')[:12]}" in said
    assert f"dataflow  stripes.py:Stripes  {digest_of(made / 'stripes.py')[:12]}" in said


@pytest.mark.parametrize(
    ("there", "missing", "flag"),
    [
        ((), "space.py:Space_", "--search-space ./space.py:Space_"),
        (("space.py",), "stripes.py:Stripes", "--dataflow ./stripes.py:Stripes"),
        (("space.py", "stripes.py"), "agent.py:Agent", "--training-agent ./agent.py:Agent"),
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "--model", "model.pt", "-o", "report.json"],
        ["search", "--supernet", "supernet.pt", "-o", "arch.npy"],
    ],
    ids=lambda c: c[0],
)
def test_the_stage_that_needs_a_file_names_it_with_digest_and_flag(
    made: Path,
    elsewhere: Path,
    command: list[str],
    there: tuple[str, ...],
    missing: str,
    flag: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run([*command, *bring(made, *there)]) == 2
    said, digest = capsys.readouterr().err, digest_of(made / missing.partition(":")[0])
    assert f"'{missing}'" in said
    assert f"sha256 {digest[:12]}" in said
    assert flag in said
    assert not Path(command[-1]).exists()


def test_a_dry_run_asks_for_them_too(made: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", "--model", "model.pt", "-o", "report.json", "--dry-run"]
    assert run([*words, *bring(made, "space.py", "stripes.py")]) == 2
    assert "--training-agent ./agent.py:Agent" in capsys.readouterr().err


def test_with_all_files_the_stage_runs(made: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = bring(made, "space.py", "stripes.py", "agent.py")
    assert run(["evaluate", "--model", "model.pt", "-o", "report.json", *options]) == 0
    said = capsys.readouterr()
    assert "has changed" not in said.err
    assert "probability" in said.out
    assert "sure" in read_header(Path("report.json")).conventions


def test_another_agent_may_be_named(made: Path, elsewhere: Path) -> None:
    options = bring(made, "space.py", "stripes.py")
    words = ["evaluate", "--model", "model.pt", "-o", "report.json", "--training-agent", "classification"]
    assert run([*words, *options]) == 0


def test_a_changed_space_is_another_one(made: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = bring(made, "space.py", "stripes.py", "agent.py")
    before = digest_of(Path("space.py"))
    with Path("space.py").open("a") as file:
        file.write("# changed\n")
    assert run(["evaluate", "--model", "model.pt", "-o", "report.json", *options]) == 3
    said = capsys.readouterr().err
    assert "'space.py:Space_' has changed since --model was made" in said
    assert f"{before[:12]}… → {digest_of(Path('space.py'))[:12]}…" in said


def test_a_changed_agent_is_told(made: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = bring(made, "space.py", "stripes.py", "agent.py")
    with Path("agent.py").open("a") as file:
        file.write("# changed\n")
    assert run(["evaluate", "--model", "model.pt", "-o", "report.json", *options]) == 0
    assert "agent.py:Agent has changed since --model was made with it" in capsys.readouterr().err


def test_a_changed_file_is_not_current(made: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = bring(made, "space.py", "stripes.py", "agent.py")
    words = ["evaluate", "--model", "model.pt", "-o", "report.json", "--skip-if-current", "-q", *options]
    assert run(words) == 0
    first = read_header(Path("report.json")).provenance["created"], Path("report.json").stat().st_mtime_ns
    assert run(words) == 0
    assert Path("report.json").stat().st_mtime_ns == first[1]
    with Path("agent.py").open("a") as file:
        file.write("# changed\n")
    assert run(words) == 0
    assert Path("report.json").stat().st_mtime_ns != first[1]
