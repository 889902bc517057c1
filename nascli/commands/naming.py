"""The search space that a command beside the stages is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nascli.artifacts.header import SpaceRecord
    from nascli.component import Reference
    from nascli.search_space.base import SearchSpace

STAGE = "build-lut"


def named_space(
    name: str | None, file: Path | None, assignments: Sequence[str], records: Mapping[str, SpaceRecord]
) -> tuple[SearchSpace, SpaceRecord]:
    """The space that the settings of `build-lut` name, or else the one that the inputs were made with.

    Args:
        name: of --search-space.
        file: the YAML of the pipeline.
        assignments: as of --set.
        records: role of an input → the space in it.

    Raises:
        UsageError: settings that are wrong, or nothing names a space.
        Mismatch: an input is of another space.
    """
    from nascli.search_space.base import realise

    return realise(named(STAGE, name, file, assignments), records)


def named(stage: str, name: str | None, file: Path | None, assignments: Sequence[str]) -> Reference | None:
    """The search space that the settings of a stage name; None where nothing names any.

    Raises:
        UsageError: settings that are wrong.
    """
    from nascli.stage import stage_for
    from nascli.stage.settings import load_config

    if not (name or file or assignments):
        return None
    config = load_config(stage_for(stage, file), file, assignments, {"search_space": name} if name else {})
    return getattr(config, "search_space", None)
