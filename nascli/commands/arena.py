"""The runs of a comparison: each is the stage `search` itself, its result kept in the folder of the comparison."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.base import Artifact
from nascli.artifacts.history import History
from nascli.commands.standings import BASELINE
from nascli.config import Config
from nascli.errors import ArtifactError, Interrupted, RunFailed, UsageError
from nascli.stage.declaration import Stage
from nascli.stage.execution import How, execute, open_input
from nascli.stage.settings import load_config

if TYPE_CHECKING:
    from nascli.commands.truth import Truth


@dataclass(frozen=True)
class Contest:
    """What is compared, and how.

    Args:
        stage: the search stage.
        file: the YAML of the pipeline.
        assignments: settings as `--set` has them; a strategy is one of them.
        strategies: names, files or mappings in YAML; none: that of the settings.
        supernets: paths; none: an evaluator that needs none.
        inputs: other inputs of the stage, role → path.
    """

    stage: Stage
    file: Path | None
    assignments: Sequence[str]
    strategies: Sequence[str]
    supernets: Sequence[str]
    seeds: int
    inputs: Mapping[str, str] = field(default_factory=dict)

    def configs(self, seed: int) -> dict[str, Config]:
        """The settings of each strategy, by its label; random is always among them."""
        own = load_config(self.stage, self.file, self.assignments, {"seed": seed})
        found: dict[str, Config] = {}
        for text in self.strategies or ("",):
            config = self._config(text, own, seed)
            name = _label(config)
            is_free = name not in found and (name != BASELINE or _strategy(config).name == BASELINE)
            found[name if is_free else f"{name}-{len(found) + 1}"] = config
        if BASELINE not in found:
            found[BASELINE] = self._config(BASELINE, own, seed)
        return found

    def _config(self, text: str, own: Config, seed: int) -> Config:
        """The file's own options of a strategy hold where it is called by the name that it has there."""
        if not text or text == _strategy(own).use:
            return own
        assigned = f"{self.stage.section}.search_strategy={text}"
        try:
            return load_config(self.stage, self.file, [*self.assignments, assigned], {"seed": seed})
        except UsageError as error:
            error.what = error.what.replace(f"--set {assigned}", f"--strategy {text}")
            raise


def _strategy(config: Config) -> Any:
    return config.search_strategy  # type: ignore[attr-defined]


def _label(config: Config) -> str:
    return re.sub(r"\W+", "_", str(_strategy(config).name).rpartition(":")[2])


def contend(contest: Contest, folder: Path, truth: Truth | None) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """All runs, those kept that are there already; and the seconds of those that were not.

    Raises:
        UsageError: the same supernet twice.
        Interrupted: what is done is kept.
    """
    supernets = {_name(path): path for path in contest.supernets} or {"": ""}
    if len(supernets) < len(contest.supernets):
        raise UsageError("two of the supernets have one file name", hint="rename one of them")
    runs: list[dict[str, Any]] = []
    seconds: dict[str, float] = {}
    for supernet, path in supernets.items():
        given = {**contest.inputs, **({"supernet": path} if path else {})}
        inputs = {entry.role: open_input(entry, given.get(entry.role)) for entry in contest.stage.inputs}
        for seed in range(contest.seeds):
            for label, config in contest.configs(seed).items():
                name = "-".join(part for part in (label, supernet, f"seed{seed}") if part)
                started = time.monotonic()
                found, made = _searched(contest.stage, config, inputs, folder / f"{name}.npy")
                if made:
                    seconds[name] = round(time.monotonic() - started, 3)
                about = {"run": name, "strategy": label, "supernet": supernet, "seed": seed}
                runs.append(about | _facts(found, truth))
    return runs, seconds


def _name(path: str) -> str:
    return re.sub(r"\W+", "_", Path(path).stem)


def _searched(
    stage: Stage, config: Config, inputs: Mapping[str, Artifact[Any] | None], path: Path
) -> tuple[Artifact[Any], bool]:
    try:
        return execute(stage, config, inputs, path, How(resume=True, skip_if_current=True))
    except Interrupted:
        raise Interrupted(
            f"interrupted in {path.stem}; what is done is kept", hint="give the same command again"
        ) from None


def _facts(found: Artifact[Any], truth: Truth | None) -> dict[str, Any]:
    """What a comparison keeps of a search.

    Raises:
        ArtifactError: the stage has left no history.
        RunFailed: the winner has no score.
    """
    import numpy as np

    assert isinstance(found, Architecture)
    assert found.path is not None
    history = History.open(found.path.with_suffix(".history.h5")).payload
    arch = list(found.payload.arch)
    accuracy = found.header.summary.get("accuracy")
    if accuracy is None and truth is None:
        raise RunFailed(f"{found.path.stem}: the winner has no score to compare", hint="take another evaluator")
    so_far = np.fmax.accumulate(history.accuracy) if len(history.accuracy) else np.zeros(0)
    facts: dict[str, Any] = {
        "digest": found.header.digest,
        "architecture": arch,
        "score": accuracy,
        "accuracy": accuracy,
        "evaluations": len(history.accuracy),
        "images": int(history.images.sum()),
        "costs": found.header.summary.get("costs", {}),
        "best_so_far": [None if np.isnan(value) else float(value) for value in so_far],
        "rank": None,
    }
    if truth is not None:
        facts |= {"score": truth.of(arch), "rank": truth.rank(arch, found.header.summary.get("constraints", []))}
    if facts["score"] is None:
        raise ArtifactError(f"the truth does not know the winner of {found.path.stem}")
    return facts
