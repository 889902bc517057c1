"""Formats in which others measure blocks: each reads a file as rows about the blocks of a space."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from nascli.config import closest
from nascli.cost.blocks import Blocks
from nascli.cost.measurements import Row, Wanted
from nascli.errors import UsageError

Reader = Callable[[Path, Blocks, Wanted], list[Row]]

FORMATS: Mapping[str, str] = {
    "nascli": "nascli.cost.formats.rows",
    "hw-nas-bench": "nascli.cost.formats.hw_nas_bench",
    "ofa": "nascli.cost.formats.ofa",
    "nni": "nascli.cost.formats.nni",
}


def reader(name: str) -> Reader:
    """What reads files of a format.

    Raises:
        UsageError: there is no such format.
    """
    if name not in FORMATS:
        raise UsageError(f"--format {name}: no such format{closest(name, FORMATS)}", why=f"known: {', '.join(FORMATS)}")
    found: Reader = import_module(FORMATS[name]).read
    return found
