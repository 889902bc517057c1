"""What the table of sizes counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaigns.sizes import Sizes, measured, others, p90, sources

ONE = '''"""A module."""
# a comment

class Open:
    """A class."""

    def said(self, x: int, y=0) -> int:
        """One line,
        and one more.
        """
        # why
        z = x + y

        return z

    def unsaid(self, *rest):
        def inner():
            pass
        return inner

class _Hidden:
    def anything(self):
        return 1
'''


@pytest.fixture
def row(tmp_path: Path) -> Sizes:
    (tmp_path / "one.py").write_text(ONE)
    (tmp_path / "__init__.py").write_text("\n")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "two.py").write_text("def f():\n    return 1\n")
    return measured("mine", sources(tmp_path))


def test_files_are_counted_with_all_lines_and_empty_ones_not_at_all(row: Sizes) -> None:
    assert (row.files, row.file_median, row.file_max) == (2, 12, 23)


def test_bodies_leave_docstrings_out(row: Sizes) -> None:
    assert (row.longest, row.function_median, row.body_median, row.body_p90) == (8, 2, 1, 4)


def test_shares_are_of_public_functions_and_of_all_parameters(row: Sizes) -> None:
    assert (row.doc, row.annotated) == (33, 33)
    assert row.comments == round(100 * 2 / 18, 1)


def test_nine_in_ten_do_not_pass_the_ninetieth_percentile() -> None:
    assert [p90(range(1, n + 1)) for n in (1, 9, 10, 11, 100)] == [1, 9, 9, 10, 90]


def test_the_figures_of_others_are_read() -> None:
    found = {row.code: row for row in others()}
    assert len(found) > 20
    assert (found["httpx"].file_median, found["httpx"].comments) == (248, 4.8)
