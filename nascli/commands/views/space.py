"""A search space: "name", "use", "fingerprint", "input_shape", "classes", "architectures" and its "decisions"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nascli.commands.views.common import View, clean
from nascli.component import Reference
from nascli.console import show


def facts(reference: Reference) -> dict[str, Any]:
    """The space as data; "architectures" counts canonical ones."""
    space = reference.build().space
    found: dict[str, Any] = clean(
        {
            "schema": "nascli.inspect.search-space/1",
            "use": reference.use,
            "name": space.name,
            "fingerprint": space.fingerprint,
            "input_shape": list(space.input_shape),
            "classes": space.classes,
            "architectures": space.count,
            "decisions": [
                {
                    "label": d.label,
                    "candidates": list(d.candidates),
                    "size": d.size,
                    "n_chosen": d.n_chosen,
                    "active_if": d.active_if,
                }
                for d in space.decisions
            ],
        }
    )
    return found


def tables(facts: Mapping[str, Any]) -> Iterator[View]:
    """Decisions and their candidates."""
    rows: list[list[object]] = [[d["label"], d["size"], ", ".join(d["candidates"])] for d in facts["decisions"]]
    yield "decisions", ["decision", "choices", "candidates"], rows
    keys = ("use", "name", "fingerprint", "input_shape", "classes", "architectures")
    values = {**facts, "fingerprint": facts["fingerprint"][:12]}
    yield "search space", ["", "value"], [[key.replace("_", " "), show(values[key])] for key in keys]
