"""The fault campaign's cases, as far as they need no processes of their own for long (`nox -s faults` runs all)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaigns.fault_kit import YAML, Case, Result, Tried, in_process, make_base, run_case
from tests.campaigns.faults import CASES, COLUMNS, row

FAST = [case for case in CASES if not case.slow]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chain that each case starts from a copy of."""
    return make_base(tmp_path_factory.mktemp("faults") / "base", in_process)


@pytest.mark.parametrize("case", FAST, ids=lambda case: case.fault)
def test_a_fault_ends_as_it_must(case: Case, base: Path, tmp_path: Path) -> None:
    assert run_case(case, base, tmp_path / "case", in_process).wrong == []


def test_the_faults_have_names_of_their_own() -> None:
    assert len({case.fault for case in CASES}) == len(CASES)


@pytest.mark.parametrize(
    ("tried", "complaint"),
    [
        (Tried(0, "", "error: x\n hint: y"), "exit code 0"),
        (Tried(3, "", "error: x\n hint: y\nTraceback (most recent call last):"), "a traceback"),
        (Tried(3, "", "error: word"), "no line 'hint:'"),
        (Tried(3, "", "error: x\n hint: y"), "'word' is not said"),
        (Tried(3, "", "error: word\n hint: y", 5000.0), "5000 MiB"),
    ],
)
def test_the_campaign_complains(tmp_path: Path, tried: Tried, complaint: str) -> None:
    (tmp_path / "base").mkdir()
    case = Case("made up", says=["word"], act=lambda folder: [tried])
    assert complaint in run_case(case, tmp_path / "base", tmp_path / "case").wrong[0]


@pytest.mark.parametrize("spoil", [lambda f: (f / "run.yaml").unlink(), lambda f: (f / "run.yaml").write_text("x")])
def test_the_campaign_sees_that_a_file_was_not_kept(tmp_path: Path, spoil: object) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base/run.yaml").write_text(YAML)
    assert callable(spoil)
    case = Case("made up", code=0, act=lambda folder: [spoil(folder), Tried(0, "", "")][1:])
    result = run_case(case, tmp_path / "base", tmp_path / "case")
    assert (result.kept, result.wrong) == (False, ["a file that was there is gone or another"])


def test_the_campaign_sees_new_files(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    case = Case("made up", code=0, act=lambda folder: [(folder / "x").write_text(""), Tried(0, "", "")][1:])
    assert run_case(case, tmp_path / "base", tmp_path / "case").wrong == ["x is new"]


def test_a_mismatch_is_marked_in_its_row() -> None:
    wrong = Result(Case("made up"), [Tried(0, "", "", 61.4), Tried(3, "", "")], False, ["no line 'hint:'"])
    assert row(wrong) == ("WRONG", "made up", 2, 3, "0, 3", False, False, 61)
    assert len(row(wrong)) == len(COLUMNS)
