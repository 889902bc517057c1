"""The difference of two artifacts of one kind: what of "origin", "settings", "values" and "contents" changed.

Each change has "name", "first" and "second"; numbers also "difference" and "relative" (to the first). A name that
one side alone has is null on the other. Two lookup tables also have "agreement": of each metric that both have, the
number of "cells", their median relative difference ("median") and the rank correlation of their costs ("spearman").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nascli.artifacts.base import Artifact
from nascli.artifacts.header import Header
from nascli.commands.views import as_json
from nascli.commands.views.common import View, clean, flat, percent
from nascli.commands.views.lookup_table import cell_name
from nascli.space import compact

SHOWN = 10
SECTIONS = {"origin": "made from", "settings": "settings", "values": "values", "contents": ""}
CONTENTS = {"lookup-table": "cells", "architecture": "choices", "history": "accuracies", "report": "metrics"}

Flat = Mapping[str, Any]


def facts(first: Artifact[Any], second: Artifact[Any]) -> dict[str, Any]:
    """What changed from the first to the second."""
    sides = [(artifact.header, as_json(artifact)) for artifact in (first, second)]
    sections = [_sections(header, found) for header, found in sides]
    changes = {name: list(_changes(sections[0][name], sections[1][name])) for name in SECTIONS}
    found: dict[str, Any] = clean(
        {
            "schema": "nascli.inspect.difference/1",
            "kind": first.kind,
            "paths": [str(first.path), str(second.path)],
            "digests": [first.header.digest, second.header.digest],
            **({"agreement": _agreement(*sides)} if first.kind == "lookup-table" else {}),
            "compared": {name: len(sections[0][name].keys() | sections[1][name].keys()) for name in SECTIONS},
            **changes,
        }
    )
    return found


def _sections(header: Header, found: Mapping[str, Any]) -> dict[str, Flat]:
    space, data = found["space"] or {}, found["data"] or {}
    origin = {"search space": space.get("fingerprint"), "data": data.get("fingerprint")}
    values = {key: value for key, value in flat(found["summary"]) if not key.startswith("metrics.")}
    return {
        "origin": {**origin, **{f"--{role}": digest for role, digest in found["inputs"].items()}},
        "settings": dict(flat(found["config"])),
        "values": values,
        "contents": dict(_contents(header, found)),
    }


def _agreement(first: tuple[Header, Flat], second: tuple[Header, Flat]) -> dict[str, Any]:
    """How alike two tables are; nothing where their cells are not the same."""
    import numpy as np

    from nascli.cost.rounds import spearman

    found = {}
    for name, metric in first[1]["metrics"].items():
        others = second[1]["metrics"].get(name, {"cells": []})["cells"]
        if [cell_name(cell) for cell in metric["cells"]] == [cell_name(cell) for cell in others]:
            a, b = (np.array([cell["cost"] for cell in cells], dtype=np.float64) for cells in (metric["cells"], others))
            relative = np.abs(b - a)[a > 0] / a[a > 0]
            median = float(np.median(relative)) if len(relative) else None
            found[name] = {"cells": len(a), "median": median, "spearman": spearman(a, b)}
    return found


def _contents(header: Header, found: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What is compared piece by piece, as (name, value); tensors by their hashes."""
    if header.kind == "lookup-table":
        for name, metric in found["metrics"].items():
            yield f"{name} (fixed part)", metric["base"]
            for cell in metric["cells"]:
                yield f"{name} {'='.join(cell_name(cell))}", cell["cost"]
    elif header.kind == "architecture":
        names = {choice["decision"]: choice["candidate"] for choice in found["choices"]}
        yield from (names or {f"index {i}": index for i, index in enumerate(found["arch"])}).items()
    elif header.kind == "history":
        yield from ((compact(trial["arch"]), trial["accuracy"]) for trial in found["trials"])
    elif header.kind == "report":
        yield from flat(found["report"])
        yield from flat(found["measured"], "measured.")
    else:
        yield from ((entry.name or "structure", entry.sha256[:12]) for entry in header.manifest)


def _changes(first: Flat, second: Flat) -> Iterator[dict[str, Any]]:
    for name in dict.fromkeys([*first, *second]):
        a, b = first.get(name), second.get(name)
        if a != b:
            yield {"name": name, "first": a, "second": b, **_distance(a, b)}


def _distance(a: Any, b: Any) -> dict[str, Any]:
    if not all(isinstance(x, int | float) and not isinstance(x, bool) for x in (a, b)):
        return {}
    return {"difference": b - a, "relative": (b - a) / abs(a) if a else None}


def tables(facts: Mapping[str, Any]) -> Iterator[View]:
    """The changes of each section, the largest first where they are numbers; of many cells the first few."""
    paths = facts["paths"]
    for section, words in SECTIONS.items():
        if facts[section]:
            what = words or CONTENTS.get(facts["kind"], "tensors")
            title = f"{what}: {len(facts[section])} of {facts['compared'][section]} differ"
            yield _table(title, facts[section], SHOWN if section == "contents" else len(facts[section]))
    if facts.get("agreement"):
        alike: list[list[object]] = [
            [name, entry["cells"], percent(entry["median"], 1), entry["spearman"]]
            for name, entry in facts["agreement"].items()
        ]
        yield "agreement", ["metric", "cells", "median difference [%]", "Spearman"], alike
    same = facts["digests"][0] == facts["digests"][1]
    title = "the same: equal digests" if same else "first and second"
    yield title, ["", "file", "digest"], [[i + 1, paths[i], facts["digests"][i][:16]] for i in range(2)]


def _table(title: str, changes: list[dict[str, Any]], shown: int) -> View:
    ordered = sorted(changes, key=lambda change: -_size(change))
    rows: list[list[object]] = []
    numeric = any("difference" in change for change in changes)
    for change in ordered[:shown]:
        relative = change.get("relative")
        numbers = [change.get("difference"), None if relative is None else round(100 * relative, 2)]
        sides = [_short(change[side]) for side in ("first", "second")]
        rows.append([change["name"], *sides, *(numbers if numeric else [])])
    rest = f"; the {shown} largest" if len(changes) > shown else ""
    columns = ["", "first", "second", *(["difference", "relative [%]"] if numeric else [])]
    return title + rest, columns, rows


def _short(value: Any) -> Any:
    is_digest = isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")
    return value[:12] if is_digest else value


def _size(change: Mapping[str, Any]) -> float:
    """From zero is furthest; what is no number comes last."""
    if "difference" not in change:
        return -1.0
    relative = change["relative"]
    return float("inf") if relative is None else abs(relative)
