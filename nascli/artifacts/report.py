"""`report.json`: how a network does on the test set."""

from __future__ import annotations

from nascli.artifacts.reported import ReportedArtifact


class Report(ReportedArtifact):
    """The evaluation of one network (JSON)."""

    kind = "report"
    made_by = "nascli evaluate -c CONFIG --model model.pt -o report.json"
    contents = {
        "report": "what a second run repeats: the agent's metrics, explained by the header's conventions, and costs",
        "measured": "what the clock said; outside the digest",
    }
