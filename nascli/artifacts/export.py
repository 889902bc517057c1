"""`export.json`: a network that was written for use without nascli."""

from __future__ import annotations

from nascli.artifacts.reported import ReportedArtifact


class Export(ReportedArtifact):
    """What a network was written as, for use without nascli (JSON)."""

    kind = "export"
    made_by = "nascli export --model model.pt -o FOLDER"
    conventions = {
        "input": "images (N, channels, height, width): (pixel / 255 - mean) / std, channel by channel",
        "batch": "the only number of images it takes; null: any",
        "max_abs_difference": "largest absolute difference to the trained network on seeded inputs",
        "tolerance": "largest difference allowed, as a share of the largest output",
        "latency_ms": "median of one forward, with its 95 % interval; the caches are emptied before each",
    }
    contents = {
        "report": "files with their sha256, input, output, and each format: what a second export repeats",
        "measured": "per format, how far it is from the network, and how fast; outside the digest",
    }
