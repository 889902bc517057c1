"""Lineage: the "header" of an artifact, which holds the headers of all it was made from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from nascli.artifacts.base import Artifact
from nascli.artifacts.header import Header
from nascli.commands.views.common import clean, one_line

BLOCK = re.compile(r"(\S[^\n]*:\w+) sha256:([0-9a-f]{64})")


def facts(artifact: Artifact[Any]) -> dict[str, Any]:
    """The whole header."""
    header = clean(artifact.header.model_dump(mode="json"))
    return {"schema": "nascli.inspect.lineage/1", "path": str(artifact.path), "header": header}


def lines(header: Header, name: str) -> Iterator[str]:
    """The tree of everything an artifact was made from, down to space and data."""
    external = "  (external)" if header.summary.get("origin") == "external" else ""
    yield one_line(f"{name}  {header.kind}  {header.digest[:12]}{external}")
    branches = [[one_line(leaf)] for leaf in _leaves(header)]
    branches += [list(lines(source, role)) for role, source in header.inputs.items()]
    for i, (first, *rest) in enumerate(branches):
        last = i == len(branches) - 1
        yield f"{'└── ' if last else '├── '}{first}"
        yield from (f"{'    ' if last else '│   '}{line}" for line in rest)


def _leaves(header: Header) -> Iterator[str]:
    if header.space:
        yield f"search space  {header.space.use}  {header.space.fingerprint[:12]}"
        yield from dict.fromkeys(_blocks(header.space.description))
    if header.data:
        sizes = ", ".join(f"{split} {size:,}" for split, size in header.data.sizes.items())
        yield f"data  {header.data.name}  {header.data.fingerprint[:12]}  ({sizes})"
    yield from dict.fromkeys(leaf for kind, value in header.config.items() for leaf in _own(kind, value))


def _blocks(value: Any) -> Iterator[str]:
    """The blocks from files in a description of a space."""
    if isinstance(value, str) and (found := BLOCK.fullmatch(value)):
        yield f"block  {found[1]}  {found[2][:12]}"
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in items:
        yield from _blocks(item)


def _own(kind: str, value: Any) -> Iterator[str]:
    """The components from files among the settings."""
    if isinstance(value, dict) and "use" in value and "source" in value and kind != "search_space":
        yield f"{kind.replace('_', ' ')}  {value['use']}  {str(value['source'])[:12]}"
    for name, item in value.items() if isinstance(value, dict) else ():
        yield from _own(name, item)
    for item in value if isinstance(value, list) else ():
        yield from _own(kind.removesuffix("s"), item)
