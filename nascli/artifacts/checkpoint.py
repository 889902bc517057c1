"""`OUT.run/last.pt`: where an unfinished run stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nascli.artifacts.base import Artifact
from nascli.artifacts.torch_format import plain
from nascli.space import Space


@dataclass(frozen=True)
class Progress:
    """A step number and the state of everything that a resumed run continues from."""

    step: int
    state: Mapping[str, Any]


class Checkpoint(Artifact[Progress]):
    """The state of an unfinished run (torch)."""

    kind = "checkpoint"
    suffix = ".pt"
    made_by = "a run that was interrupted"
    contents = {
        "step": "number: the steps that were done",
        "state.NAME": "weights, optimisers, moving average, strategy, positions: what the run continues from",
    }

    def pack(self, payload: Progress) -> dict[str, Any]:
        packed: dict[str, Any] = plain(vars(payload))
        return packed

    def unpack(self, content: Mapping[str, Any], space: Space | None) -> Progress:
        return Progress(content["step"], content["state"])
