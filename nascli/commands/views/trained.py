"""Supernets and models, from the header alone: "parameters", "others", "bytes" and "parts".

"others" are numbers that are no weights: BatchNorm's statistics, known by their names, architecture parameters, and
the state of the training strategy. A model also has the facts of its architecture where its header knows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

from nascli.artifacts.base import Artifact
from nascli.artifacts.header import Entry
from nascli.commands.views import architecture
from nascli.commands.views.common import View

BAR = 20  # characters: the table fits into 80 columns
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
SIZES = {"float64": 8, "int64": 8, "complex64": 8, "float32": 4, "int32": 4, "float16": 2, "bfloat16": 2, "int16": 2}


def facts(artifact: Artifact[Any]) -> dict[str, Any]:
    """The sizes of the stored tensors, by the modules that hold them."""
    parts: dict[str, dict[str, int]] = {}
    for entry in artifact.header.manifest:
        if entry.dtype != "json":
            part = parts.setdefault(_part(entry), {"tensors": 0, "parameters": 0, "others": 0, "bytes": 0})
            numbers = prod(entry.shape)
            part["tensors"] += 1
            part["parameters" if _is_weight(entry) else "others"] += numbers
            part["bytes"] += numbers * SIZES.get(entry.dtype, 1)
    totals = {key: sum(part[key] for part in parts.values()) for key in ("tensors", "parameters", "others", "bytes")}
    arch = artifact.header.summary.get("architecture")
    return {**totals, "parts": parts, **(architecture.network_facts(artifact.header, arch) if arch else {})}


def _is_weight(entry: Entry) -> bool:
    return entry.name.startswith("state_dict.") and not entry.name.endswith(STATISTICS)


def _part(entry: Entry) -> str:
    """The module two levels below the state, such as "layers.layer_00"."""
    head, *names = entry.name.replace(".network.", ".", 1).split(".")
    return ".".join(names[:-1][:2]) or head if head == "state_dict" else head


def _panel(rounds: Sequence[Mapping[str, Any]], size: int) -> View:
    """How the panel's accuracies grew and its ranking settled; bars show the mean, 0 to 1."""
    rows: list[list[object]] = [
        [this["step"], this["mean"], this["spread"], this["tau"], "#" * round(BAR * this["mean"])] for this in rounds
    ]
    title = f"panel of {size} architectures; tau: how alike a round ranks them to the one before"
    return title, ["step", "mean accuracy", "spread", "tau", ""], rows


def tables(facts: Mapping[str, Any]) -> Iterator[View]:
    """The architecture where it is known, and the sizes by part."""
    if facts.get("choices"):
        yield from architecture.tables(facts)
    rounds = facts["summary"].get("panel_rounds") or []
    if rounds:
        yield _panel(rounds, len(facts["summary"]["panel"]))
    parts: list[list[object]] = [[name, *part.values()] for name, part in facts["parts"].items()]
    columns = ["tensors", "parameters", "others", "bytes"]
    parts.append(["total", *(facts[column] for column in columns)])
    yield "tensors", ["part", *columns], parts
