from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROWS = [
    line
    for line in (TESTS.parent / "docs" / "migration.md").read_text().splitlines()
    if re.match(r"\| .*`[^`]*::", line)
]


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[1].strip()[:40] for row in ROWS])
def test_every_row_of_the_migration_tables_names_a_test_that_exists(row: str) -> None:
    cells = re.findall(r"`([^`]+::[^`]+)`", row)
    assert len(cells) == 1
    file, name = cells[0].split("::")
    names = {node.name for node in ast.walk(ast.parse((TESTS / file).read_text())) if isinstance(node, ast.FunctionDef)}
    assert name in names, f"{file} has no test {name}"


def test_both_tables_are_there() -> None:
    assert len(ROWS) > 50
