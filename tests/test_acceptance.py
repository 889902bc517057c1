"""The table of acceptance: what counts as failed, and that its commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.campaigns.acceptance import CHECKS, ROOT, Check, markdown, tried


def test_a_check_shows_the_last_of_what_it_must_say(tmp_path: Path) -> None:
    result = tried(Check(1, "printf 'try 1\\ntry 2\\n│ try 3 │ kept │\\n'", r"try.*", shown=2), tmp_path)

    assert (result.code, result.complaint) == (0, "")
    assert result.said == ("try 2", "try 3 kept")


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("echo fine; exit 3", "exit code 3, wanted 0"),
        ("echo other", "nothing said of fine"),
        ("echo fine; echo missed: all", "said missed: all"),
    ],
)
def test_a_check_fails_for_its_code_and_for_its_words(tmp_path: Path, command: str, complaint: str) -> None:
    result = tried(Check(1, command, "fine"), tmp_path)

    assert result.complaint.startswith(complaint)
    assert complaint in markdown([result])


def test_checks_share_a_folder_and_may_want_another_exit_code(tmp_path: Path) -> None:
    tried(Check(1, "echo 1 > $OUT/file", ""), tmp_path)

    assert tried(Check(2, "cat $OUT/file; exit 4", "1", code=4), tmp_path).complaint == ""


def test_the_table_is_one_line_a_check(tmp_path: Path) -> None:
    lines = markdown([tried(Check(1, "echo 'a|b'; exit 1", "a"), tmp_path)]).splitlines()

    assert len(lines) == 3
    assert "echo 'a\\|b'" in lines[-1]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.command)
def test_what_a_check_runs_is_there(check: Check) -> None:
    sessions = re.findall(r"^def (\w+)\(session", (ROOT / "noxfile.py").read_text(), re.MULTILINE)

    assert all(name in sessions for name in re.findall(r"nox -s (\w+)", check.command))
    assert all((ROOT / name).exists() for name in re.findall(r"[\w/]+\.(?:sh|py)", check.command))
