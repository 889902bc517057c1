"""Images that a network got most wrong, from the header alone: "images", their "shape"; `nascli report` shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nascli.artifacts.mistakes import Mistakes
from nascli.commands.views.common import View


def facts(artifact: Mistakes) -> dict[str, Any]:
    """How many there are, and of which shape."""
    shape = next((entry.shape for entry in artifact.header.manifest if entry.name == "images"), (0,))
    return {"images": shape[0], "shape": list(shape[1:])}


def tables(facts: Mapping[str, Any]) -> Iterator[View]:
    """The number and the shape; the report beside it tells the rest."""
    shape = "×".join(map(str, facts["shape"]))
    yield "images of the worst mistakes", ["images", "shape"], [[facts["images"], shape]]
