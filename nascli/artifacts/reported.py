"""What `report.json` and `export.json` have in common: what repeats, and beside it what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nascli.artifacts.base import Artifact
from nascli.space import Space


@dataclass(frozen=True)
class Reported:
    """`report`: what a second run repeats; `measured`: what the clock and the machine said, outside the digest."""

    report: Mapping[str, Any]
    measured: Mapping[str, Any] = field(default_factory=dict)


class ReportedArtifact(Artifact[Reported]):
    """Facts about one network (JSON)."""

    suffix = ".json"

    def pack(self, payload: Reported) -> dict[str, Any]:
        return {"report": payload.report, "measured": payload.measured}

    def unpack(self, content: Mapping[str, Any], space: Space | None) -> Reported:
        return Reported(content["report"], content.get("measured", {}))
