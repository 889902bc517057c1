"""The search space that a command beside the stages is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nascli.errors import ComponentError

if TYPE_CHECKING:
    from nascli.artifacts.header import SpaceRecord
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

    reference = _settings(name, file, assignments).search_space if name or file or assignments else None
    return realise(reference, records)


def _settings(name: str | None, file: Path | None, assignments: Sequence[str]) -> Any:
    from nascli.config import read_document
    from nascli.stage import chosen_packages, installed_stages
    from nascli.stage.settings import load_config

    packages = chosen_packages(read_document(file)) if file else {}
    (plugin,) = installed_stages((STAGE,), packages)
    if plugin.stage is None:
        raise ComponentError(f"the stage '{STAGE}' cannot be used", why=plugin.error, hint=plugin.hint)
    return load_config(plugin.stage, file, assignments, {"search_space": name} if name else {})
