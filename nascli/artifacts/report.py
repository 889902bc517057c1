"""`report.json`: how a network does on the test set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nascli.artifacts.base import Artifact
from nascli.space import Space


@dataclass(frozen=True)
class Evaluation:
    """`report`: metrics that a second run repeats; `measured`: what the clock said, outside the digest."""

    report: Mapping[str, Any]
    measured: Mapping[str, Any] = field(default_factory=dict)


class Report(Artifact[Evaluation]):
    """The evaluation of one network (JSON)."""

    kind = "report"
    suffix = ".json"
    made_by = "nascli evaluate -c CONFIG --model model.pt -o report.json"
    contents = {
        "report": "what a second run repeats: the agent's metrics, explained by the header's conventions, and costs",
        "measured": "what the clock said; outside the digest",
    }

    def pack(self, payload: Evaluation) -> dict[str, Any]:
        return {"report": payload.report, "measured": payload.measured}

    def unpack(self, content: Mapping[str, Any], space: Space | None) -> Evaluation:
        return Evaluation(content["report"], content.get("measured", {}))
