"""`--skip-if-current`: whether a result is what the stage would make again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nascli.artifacts.base import Artifact
from nascli.artifacts.header import Header
from nascli.config import Config
from nascli.errors import ArtifactError
from nascli.stage.declaration import Stage
from nascli.stage.settings import files, settings


def current(
    target: Stage, config: Config, inputs: Mapping[str, Artifact[Any] | None], path: Path
) -> Artifact[Any] | None:
    """The result at `path` if settings, components, inputs and data are those it was made with, and it is whole.

    What only says how to run (devices, threads, intervals, paths) does not count; of files that a
    `file_option` names, the contents do.
    """
    try:
        result = target.output.open(path)
        result.check_file()
    except ArtifactError:
        return None
    header = result.header
    same = (
        header.config == json.loads(json.dumps(settings(config, everything=False)))
        and header.provenance.get("files", {}) == files(config)
        and _same_inputs(header, inputs)
        and _same_data(header, config)
    )
    return result if same else None


def _same_inputs(header: Header, inputs: Mapping[str, Artifact[Any] | None]) -> bool:
    now = {role: artifact.header for role, artifact in inputs.items() if artifact is not None}
    return now.keys() == header.inputs.keys() and all(
        header.inputs[role].content_id == now[role].content_id for role in now
    )


def _same_data(header: Header, config: Config) -> bool:
    dataflow = getattr(config, "dataflow", None)
    if dataflow is None or header.data is None:
        return True
    fingerprint: str = dataflow.build().describe().fingerprint
    return fingerprint == header.data.fingerprint
