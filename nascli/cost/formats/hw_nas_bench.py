"""Operator tables of HW-NAS-Bench (Li et al., ICLR 2021, arXiv:2103.10584) for the space of FBNet.

Its nine candidates are those of `fbnet_s` and `fbnet_l`, in their order. The file is its pickle, or JSON of what
`get_op_lookup_tables()` gives: {"pixel3_latency": {"ConvBlock_H112_…": 1.5, …}, …}. Latency is in ms, energy in mJ.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from nascli.config import closest
from nascli.cost.blocks import Blocks
from nascli.cost.formats.operators import Operator, operator
from nascli.cost.measurements import Row, Wanted, file_text
from nascli.errors import ArtifactError, UsageError

SPACE = "fbnet"
UNITS = {"latency": "ms", "energy": "mJ"}

ALLOWED = {
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy._core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("collections", "OrderedDict"),
    ("_codecs", "encode"),
}
"""All that a pickle of numbers needs; whatever else it names is refused, so that reading runs no code of the file."""


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
    return [Row(f"'{k}'", _plain(table[k]), unit, block.id) for block, k in pairs if k in table]


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
        hint = 'a pickle of HW-NAS-Bench, or JSON: {"pixel3_latency": {"ConvBlock_…": 1.5}}'
        raise ArtifactError(f"{path} holds no operator tables", hint=hint)
    if name not in known:
        raise UsageError(
            f"{path} has no table '{name}'{closest(name, known)}", why=f"it has {', '.join(sorted(known))}"
        )
    return known[name]


def _loaded(path: Path) -> Any:
    try:
        if path.suffix in (".pickle", ".pkl"):
            with path.open("rb") as stream:
                return _Numbers(stream).load()
        return json.loads(file_text(path))
    except OSError as error:
        raise ArtifactError(f"cannot read {path}", why=error.strerror or str(error)) from None
    except (
        ValueError,
        RecursionError,
        pickle.UnpicklingError,
        EOFError,
        TypeError,
        AttributeError,
        IndexError,
    ) as error:
        raise ArtifactError(f"{path} cannot be read", why=f"{type(error).__name__}: {error}"[:200]) from None


class _Numbers(pickle.Unpickler):
    """Reads plain values and numbers of numpy, and nothing else."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(stream, encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        current = module.replace("numpy.core.", "numpy._core.")
        if (current, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}; only numbers are read")
        try:
            return super().find_class(current, name)
        except ImportError:  # of numpy 1
            return super().find_class(current.replace("numpy._core.", "numpy.core."), name)


def _plain(value: Any) -> object:
    """A number of numpy as one of Python."""
    return value.item() if hasattr(value, "item") and getattr(value, "size", 0) == 1 else value
