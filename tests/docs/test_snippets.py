"""Every fence of README, CONTRIBUTING and docs is run, or looked up where it takes minutes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.docs.snippets import LANGUAGES, Page, Snippet, snippets

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
REFERENCE = ("cli.md", "yaml.md", "artifacts.md")  # made from the code, with tests of their own
RUN = [page for page in PAGES if page.name not in REFERENCE and snippets(page)]
FEW = 3

SHORT = {"train_supernet": {"epochs": 2, "panel": 2}, "search": {"max_evaluations": 24}, "retrain": {"epochs": 2}}


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder that looks like the repository; the quickstart trains for a moment there."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    quickstart = tmp_path / "examples/quickstart.yaml"
    told = yaml.safe_load(quickstart.read_text())
    short = {key: {**told[key], **values} for key, values in SHORT.items()}
    quickstart.write_text(yaml.safe_dump({**told, **short}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_snippets_of_a_page_run_one_after_the_other(page: Path, checkout: Path) -> None:
    runner = Page()
    for snippet in snippets(page):
        try:
            runner.run(snippet)
        except Exception as error:
            pytest.fail(f"{snippet.where}: {type(error).__name__}: {error}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_fence_says_in_which_language_it_is(page: Path) -> None:
    assert [s.where for s in snippets(page) if s.language not in LANGUAGES] == []
    assert page.read_text().count("```") == 2 * len(snippets(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_few_snippets_are_too_long_to_run(page: Path) -> None:
    assert len([s.where for s in snippets(page) if s.mark == "long"]) <= FEW


@pytest.mark.parametrize(
    ("language", "mark", "text"),
    [
        ("bash", "", "nascli inspect nothing.pt"),
        ("bash", "", "false"),
        ("bash", "", "bash examples/nothing.sh"),
        ("bash", "", ".venv/bin/nox -s nothing"),
        ("bash", "", ".venv/bin/pip install -e '.[nothing]'"),
        ("bash", "long", "nascli search --nothing -o arch.npy"),
        ("bash", "slow", "true"),
        ("python", "", "assert False"),
        ("python", "", "# examples/my_model.py, in part\nclass Nothing:"),
        ("yaml", "", "serch: {max_evaluations: 3}"),
        ("text", "output", "nothing"),
    ],
)
def test_what_does_not_work_is_found(language: str, mark: str, text: str, checkout: Path) -> None:
    with pytest.raises((Exception, SystemExit)):
        Page().run(Snippet("page.md:1", language, mark, text + "\n"))
