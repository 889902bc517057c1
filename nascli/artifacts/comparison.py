"""`compare.json`: several searches of one problem, run by run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nascli.artifacts.base import Artifact
from nascli.space import Space


@dataclass(frozen=True)
class Runs:
    """`runs`: a mapping each; `standings`: what they say; `measured`: seconds a run, outside the digest."""

    runs: Sequence[Mapping[str, Any]]
    standings: Sequence[Mapping[str, Any]]
    measured: Mapping[str, Any] = field(default_factory=dict)


class Comparison(Artifact[Runs]):
    """Search strategies, and supernets, compared on one problem (JSON)."""

    kind = "comparison"
    suffix = ".json"
    made_by = "nascli compare -c CONFIG --strategy NAME -o FOLDER"
    conventions = {
        "score": "accuracy of the winner by the evaluator; with a truth, that of the winner there",
        "interval": "95 %, of the mean over seeds (Student's t)",
        "advantage": "mean difference to random with the same seed and supernet",
    }
    contents = {
        "report": "runs and standings: what a second comparison repeats",
        "measured": "what the clock said; outside the digest",
    }

    def pack(self, payload: Runs) -> dict[str, Any]:
        return {"report": {"runs": payload.runs, "standings": payload.standings}, "measured": payload.measured}

    def unpack(self, content: Mapping[str, Any], space: Space | None) -> Runs:
        return Runs(content["report"]["runs"], content["report"]["standings"], content.get("measured", {}))
