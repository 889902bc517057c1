"""Operator tables of HW-NAS-Bench (Li et al., ICLR 2021, arXiv:2103.10584) for the space of FBNet.

Its nine candidates are those of `fbnet_s` and `fbnet_l`, in their order. The file is JSON of what
`get_op_lookup_tables()` gives: {"pixel3_latency": {"ConvBlock_H112_…": 1.5, …}, …}. Latency is in ms, energy in mJ.
A pickle is not read: it may run code.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nascli.config import closest
from nascli.cost.blocks import Blocks
from nascli.cost.formats.operators import Operator, operator
from nascli.cost.measurements import Row, Wanted, file_text
from nascli.errors import ArtifactError, UsageError

SPACE = "fbnet"
UNITS = {"latency": "ms", "energy": "mJ"}

CONVERT = (
    """if you trust it: python -c 'import json, pickle, sys; """
    """json.dump(pickle.load(open(sys.argv[1], "rb"))["fbnet"], sys.stdout, default=float)' {path} > tables.json"""
)


def read(path: Path, blocks: Blocks, wanted: Wanted) -> list[Row]:
    """The rows of the blocks that the table of the device knows.

    Raises:
        ArtifactError: the file has no such tables.
        UsageError: no table of that device and metric.
    """
    name, quantity = _name(wanted)
    table = _table(_loaded(path), name, path)
    unit = wanted.unit or UNITS[quantity]
    pairs = ((block, key(found)) for block in blocks.blocks if (found := operator(block)))
    return [Row(f"'{k}'", table[k], unit, block.id) for block, k in pairs if k in table]


def _name(wanted: Wanted) -> tuple[str, str]:
    quantity = wanted.plain.partition("_")[0]
    if quantity not in UNITS or not wanted.device:
        hint = "for example: --metric latency_ms --device pixel3, or --metric energy_mj --device eyeriss"
        raise UsageError("HW-NAS-Bench has the latency and the energy of named devices", hint=hint)
    return f"{wanted.device}_{quantity}", quantity


def key(of: Operator) -> str:
    """The name of an operator in the tables; "" where they have none."""
    (cin, height, width), cout = of.input, of.output[0]
    place = f"H{height}_W{width}_Cin{cin}_Cout{cout}"
    match of.kind:
        case "conv":
            return f"ConvNorm_{place}_kernel{of.kernel}_stride{of.stride}_group{of.groups}"
        case "mobile" if of.expand and not of.se:
            size = f"exp{of.expansion}_kernel{of.kernel}_stride{of.stride}_group{of.groups}"
            return f"ConvBlock_{place}_{size}"
        case "skip":
            return f"Skip_{place}_stride{of.stride}"
        case "pool":
            return f"AvgP_{place}_kernel{height}_stride1"
        case "linear":
            return f"FC_Cin{cin}_Cout{cout}"
    return ""


def _table(found: Any, name: str, path: Path) -> Mapping[str, Any]:
    tables = found.get(SPACE, found) if isinstance(found, Mapping) else {}
    known = {str(key): table for key, table in tables.items() if isinstance(table, Mapping)}
    if not known:
        hint = 'JSON of HW-NAS-Bench: {"pixel3_latency": {"ConvBlock_…": 1.5}}'
        raise ArtifactError(f"{path} holds no operator tables", hint=hint)
    if name not in known:
        raise UsageError(
            f"{path} has no table '{name}'{closest(name, known)}", why=f"it has {', '.join(sorted(known))}"
        )
    return known[name]


def _loaded(path: Path) -> Any:
    if path.suffix in (".pickle", ".pkl"):
        hint = CONVERT.format(path=shlex.quote(str(path)))
        raise ArtifactError(f"{path} is a pickle, which may run code", hint=hint)
    try:
        return json.loads(file_text(path))
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} is no JSON", why=f"{type(error).__name__}: {error}"[:200]) from None
