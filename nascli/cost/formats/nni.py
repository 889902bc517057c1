"""`lut.txt` of the FBNet of NNI: a dictionary a line, of an operator's name, place, type and latency.

    {'op_name': 'k3_e3', 'op_data_shape': (28, 28, 32, 64, 2), 'op_dtype': 'float', 'op_latency': 310.5}

The shape is width, height, input channels, output channels, stride. The file names no unit.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from nascli.cost.blocks import Blocks, CostBlock
from nascli.cost.formats.operators import operator
from nascli.cost.measurements import Row, Wanted, file_text
from nascli.errors import ArtifactError, UsageError

TYPE = "float"

Key = tuple[str, tuple[int, ...]]


def read(path: Path, blocks: Blocks, wanted: Wanted) -> list[Row]:
    """The rows of the blocks that the file knows, in single precision.

    Raises:
        UsageError: no unit is given.
        ArtifactError: a line of another form, or an operator twice.
    """
    if wanted.unit is None:
        raise UsageError(f"{path} does not say its unit", hint="name it; what NNI itself measures: --unit us")
    found = _lines(path)
    rows = []
    for block in blocks.blocks:
        if key := next((key for key in keys(block) if key in found), None):
            rows.append(Row(*found[key], wanted.unit, block.id))
    return rows


def keys(block: CostBlock) -> Iterator[Key]:
    """The (name, shape) that a block may have: by its own name, and by those of FBNet."""
    if block.operation is None or len(block.shape) != 3:
        return
    channels, height, width = block.shape
    shape = (width, height, channels, block.operation.out_channels, block.operation.stride)
    yield from ((name, shape) for name in (block.name, *_names(block)))


def _names(block: CostBlock) -> Iterator[str]:
    of = operator(block)
    if of is not None and of.kind == "mobile":
        groups = ("",) if of.groups == 1 else (f"_g{of.groups}", f"_s{of.groups}")
        se = "_se" if of.se else ""
        for prefix in ("", "ir_"):
            yield from (f"{prefix}k{of.kernel}_e{of.expansion}{group}{se}" for group in groups)
        if of.groups > 1 and of.expansion == 1:
            yield from (f"{prefix}k{of.kernel}_s{of.groups}{se}" for prefix in ("", "ir_"))


def _lines(path: Path) -> dict[Key, tuple[str, object]]:
    found: dict[Key, tuple[str, object]] = {}
    for number, line in enumerate(file_text(path).splitlines(), 1):
        if line.strip():
            where = f"line {number}"
            key, of_type, latency = _parsed(line, f"{path}: {where}")
            if of_type == TYPE:
                if key in found:
                    raise ArtifactError(f"{path}: {where}: {key[0]} {key[1]} stands twice, first in {found[key][0]}")
                found[key] = where, latency
    return found


def _parsed(line: str, where: str) -> tuple[Key, object, object]:
    try:
        record = ast.literal_eval(line.strip().rstrip(","))
        shape = tuple(int(size) for size in record["op_data_shape"])
        return (str(record["op_name"]), shape), record["op_dtype"], record["op_latency"]
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError) as error:
        hint = "{'op_name': 'k3_e3', 'op_data_shape': (28, 28, 32, 64, 2), 'op_dtype': 'float', 'op_latency': 310.5}"
        raise ArtifactError(
            f"{where} is no entry of a lut.txt", why=f"{type(error).__name__}: {error}"[:200], hint=hint
        ) from None
