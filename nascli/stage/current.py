"""`--skip-if-current`: whether a result is what the stage would make again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from nascli.artifacts.base import Artifact, read_header
from nascli.artifacts.header import Header
from nascli.config import Config
from nascli.console import out
from nascli.errors import ArtifactError
from nascli.stage.declaration import Stage
from nascli.stage.settings import files, settings


def current(
    target: Stage, config: Config, inputs: Mapping[str, Artifact[Any] | None], path: Path
) -> Artifact[Any] | None:
    """The result at `path` if settings, components, inputs and data are those it was made with, and it is whole.

    So are the files that its run wrote beside it, as far as their headers tell.

    What only says how to run (devices, threads, intervals, paths) does not count; of files that a
    `file_option` names, the contents do.
    """
    try:
        result = target.output.open(path)
        header = result.header
        same = (
            header.config == json.loads(json.dumps(settings(config, everything=False)))
            and header.provenance.get("files", {}) == files(config)
            and _same_inputs(header, inputs)
            and not _lost_sides(target, header, path)
        )
        if not same:
            return None
        result.check_file()
    except ArtifactError:
        return None
    return result if _same_data(header, config) else None


def tell_of_lost_sides(target: Stage, path: Path) -> None:
    """Warn that the result at `path` is made anew because of its side files, where it is."""
    with suppress(ArtifactError):
        for name, why in _lost_sides(target, target.output.open(path).header, path).items():
            out.warning(f"{name} {why}: {path} is made anew")


def _lost_sides(target: Stage, header: Header, path: Path) -> dict[Path, str]:
    """The side files of a result that are not those that its run wrote, and what is the matter with them."""
    told, lost = header.provenance.get("sides"), dict[Path, str]()
    written: dict[str, Any] = told if isinstance(told, dict) else {}
    for suffix in (suffix for suffix in target.sides if suffix in written):
        side = path.with_suffix(suffix)
        try:
            if read_header(side).digest != written[suffix]:
                lost[side] = "is of another run"
        except ArtifactError:
            lost[side] = "cannot be read" if side.exists() else "is missing"
    return lost


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
