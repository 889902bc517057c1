"""`arch.generator.pt`: what a search strategy learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nascli.artifacts.base import Artifact
from nascli.artifacts.torch_format import plain
from nascli.errors import ArtifactError
from nascli.space import Space


@dataclass(frozen=True)
class LearnedState:
    """The reference of the strategy as its header has it, and what it begins a later search with."""

    strategy: str
    state: Mapping[str, Any]


class StrategyState(Artifact[LearnedState]):
    """What a search strategy learned (torch)."""

    kind = "strategy-state"
    suffix = ".pt"
    made_by = "nascli search -c CONFIG --search-strategy generator --supernet supernet.pt -o arch.npy"
    contents = {
        "strategy": "text: the search strategy that it belongs to",
        "state.NAME": "what it begins with; of `generator`: metric, priors, tau, the network's sizes and weights",
    }

    def pack(self, payload: LearnedState) -> dict[str, Any]:
        packed: dict[str, Any] = plain(vars(payload))
        return packed

    def unpack(self, content: Mapping[str, Any], space: Space | None) -> LearnedState:
        strategy, state = content.get("strategy"), content.get("state")
        if not isinstance(strategy, str) or not isinstance(state, dict):
            raise ArtifactError(f"{self.path}: it names no search strategy, or holds no state")
        return LearnedState(strategy, state)

    @property
    def strategy(self) -> str:
        """The search strategy that it belongs to, from the header alone."""
        return str(self.header.summary.get("strategy"))
