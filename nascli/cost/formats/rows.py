"""Rows of block (or architecture), value and unit, as CSV or JSON: what `nascli export-blocks` prepares."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nascli.cost.blocks import Blocks
from nascli.cost.measurements import Row, Wanted, file_text
from nascli.errors import ArtifactError

COLUMNS = ("id", "name", "value", "unit")
"""Of the prepared file; "architecture" instead of "id" stands for a whole network."""

_HINT = f"the first line of a CSV names its columns: {','.join(COLUMNS)}"


def read(path: Path, blocks: Blocks, wanted: Wanted) -> list[Row]:
    """The rows of a CSV, or of a list of objects in JSON.

    Raises:
        ArtifactError: it is neither of them.
    """
    text = file_text(path)
    if path.suffix == ".json" or text.lstrip().startswith("["):
        return list(_json(path, text))
    return list(_csv(path, text))


def _csv(path: Path, text: str) -> Iterator[Row]:
    first = text.partition("\n")[0]
    delimiter = next((mark for mark in (",", ";", "\t") if mark in first), ",")
    lines = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    try:
        columns = {name.strip().lower(): name for name in lines.fieldnames or ()}
        if "value" not in columns or not {"id", "architecture"} & columns.keys():
            raise ArtifactError(f"{path}: its first line does not name 'value' and 'id'", hint=_HINT)
        for line in lines:
            where = f"line {lines.line_num}"
            if None in line:
                raise ArtifactError(f"{path}: {where} has more cells than the first line", hint=_HINT)
            cells = {key: (line[name] or "").strip() for key, name in columns.items()}
            if any(cells.values()):
                yield _row(where, {key: cell or None for key, cell in cells.items()})
    except csv.Error as error:
        raise ArtifactError(f"{path}: line {lines.reader.line_num}: {error}", hint=_HINT) from None


def _row(where: str, cells: Mapping[str, Any]) -> Row:
    unit, block = (None if (cell := cells.get(key)) is None else str(cell) for key in ("unit", "id"))
    return Row(where, cells.get("value"), unit, block, cells.get("architecture"))


def _json(path: Path, text: str) -> Iterator[Row]:
    """The objects of a list, each with the line that it begins in."""
    try:
        whole = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ArtifactError(f"{path} is no JSON: {error}") from None
    if not isinstance(whole, list) or not all(isinstance(item, dict) for item in whole):
        raise ArtifactError(f"{path}: expected a list of objects", hint='[{"id": "…", "value": 1.5, "unit": "ms"}, …]')
    decoder, between, place = json.JSONDecoder(), re.compile(r"[\s,]*"), text.index("[") + 1
    for _ in whole:
        place = between.match(text, place).end()  # type: ignore[union-attr]  # it matches nothing, too
        line = text.count("\n", 0, place) + 1
        item, place = decoder.raw_decode(text, place)
        yield _row(f"line {line}", item)
