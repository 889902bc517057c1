"""Supernets of several training strategies, and the score of every architecture with each of them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from nascli.artifacts.supernet import SupernetCheckpoint
from nascli.run import Run
from nascli.space import compact
from nascli.stage.declaration import stage_of
from nascli.stage.execution import How, execute
from nascli.training_agent.base import EvaluatorInputs
from nascli.training_agent.supernet_evaluator import SupernetEvaluator
from stages.train_supernet import TrainSupernetConfig, train_supernet
from tests.campaigns.fidelity_truth import (
    SUPERNETS,
    UNFINISHED,
    Entry,
    architectures,
    recipe_of,
    settings_of,
    space_of,
    write_json,
)

STRATEGIES = {
    # 2,640 passes that train weights each: 11 steps an epoch; fair has 3 passes a step, and differentiable 5 steps an
    # epoch, since half of the images serve its architecture steps
    "uniform": ("training_strategy=uniform", "epochs=240", "panel_epochs=24"),
    "fair": ("training_strategy=fair", "epochs=80", "panel_epochs=8"),
    "differentiable": ("training_strategy=differentiable", "epochs=528", "panel_epochs=53"),
}


def settings_for(strategy: str, seed: int) -> TrainSupernetConfig:
    """The settings of one supernet."""
    words = [f"train_supernet.{word}" for word in STRATEGIES[strategy]]
    found: TrainSupernetConfig = settings_of(train_supernet, *words, f"train_supernet.seed={seed}")
    return found


def trained(path: Path, config: TrainSupernetConfig) -> SupernetCheckpoint:
    """The supernet, as `nascli train-supernet` makes it; one that is there already is taken."""
    how = How(resume=True, skip_if_current=True)
    execute(stage_of(train_supernet), config, {"lut": None, "teacher": None}, path, how)
    return SupernetCheckpoint.open(path)


def scored(path: Path, config: TrainSupernetConfig, supernet: SupernetCheckpoint) -> Entry:
    """[loss, accuracy] of every architecture, by the evaluator of `nascli search`; what was remembered of training."""
    space = space_of(config)
    evaluator = SupernetEvaluator(SupernetEvaluator.Config())
    evaluator.prepare(EvaluatorInputs(space, config.setup(Run(path, seed=config.seed)), config, supernet))
    archs = architectures(space)
    scores = evaluator.evaluate(archs)
    wrong = [score.error for score in scores if score.error]
    if wrong:
        raise SystemExit(f"{path}: {wrong[0]}")
    parameters = supernet.payload.arch_parameters
    return {
        "digest": supernet.header.digest,
        "scores": {
            compact(arch): [round(s.loss, 6), round(100 * s.accuracy, 4)] for arch, s in zip(archs, scores, strict=True)
        },
        "probabilities": {label: _rounded(alpha.softmax(0)) for label, alpha in parameters.items()},
        "panel": [_round_of(one) for one in supernet.header.summary["panel_rounds"]],
    }


def _rounded(values: Any) -> list[float]:
    return [round(value, 6) for value in values.tolist()]


def _round_of(one: Entry) -> Entry:
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in one.items()}


def run_supernets(folder: Path, data: Path, seeds: int, minutes: float) -> int:
    """Train and score what is still to be, for so many minutes; the file when all is done."""
    end = time.monotonic() + 60 * minutes
    found: dict[str, list[Entry]] = {name: [] for name in STRATEGIES}
    for seed in range(seeds):
        for name in STRATEGIES:
            if time.monotonic() > end:
                print(f"supernets from {name}, seed {seed}, on are left: run it again", flush=True)
                return UNFINISHED
            found[name].append(_one(folder, name, seed))
    recipe = recipe_of(settings_of(train_supernet), seeds)
    content = {"recipe": {**recipe, "strategies": STRATEGIES}}
    flat = {f"{name} {seed}": one for name, ones in found.items() for seed, one in enumerate(ones)}
    write_json(data / SUPERNETS, content | flat)
    print(f"{data / SUPERNETS}: {seeds} supernets of each of {', '.join(STRATEGIES)}", flush=True)
    return 0


def _one(folder: Path, name: str, seed: int) -> Entry:
    """Trained and scored, each unless it was."""
    config, path = settings_for(name, seed), folder / f"{name}_{seed}.pt"
    supernet = trained(path, config)
    kept = path.with_suffix(".json")
    known: Entry = json.loads(kept.read_text()) if kept.exists() else {}
    if known.get("digest") != supernet.header.digest:
        known = scored(path, config, supernet)
        write_json(kept, known)
        print(f"{name}, seed {seed}: done", flush=True)
    return known
