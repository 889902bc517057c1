"""Writes the artifacts of schema version 1 that every later nascli must read.

    python -m tests.golden.make_v1

Once version 1 is released, never run this again: the files in `v1/` are the ones that people have. A schema of
version 2 gets a script and a folder of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from nascli.artifacts.architecture import Architecture, Choice
from nascli.artifacts.base import Artifact
from nascli.artifacts.checkpoint import Checkpoint, Progress
from nascli.artifacts.comparison import Comparison, Runs
from nascli.artifacts.export import Export
from nascli.artifacts.header import DataRecord, Header
from nascli.artifacts.history import History, Trials
from nascli.artifacts.lookup_table import Column, LookupTable, Table
from nascli.artifacts.mistakes import Mistaken, Mistakes
from nascli.artifacts.model import Model, TrainedModel
from nascli.artifacts.report import Report
from nascli.artifacts.reported import Reported
from nascli.artifacts.strategy_state import LearnedState, StrategyState
from nascli.artifacts.supernet import SupernetCheckpoint, TrainedSupernet
from nascli.component import resolve
from nascli.search_space.base import record_of
from nascli.search_space.tiny import Tiny

FOLDER = Path(__file__).parent / "v1"
REFERENCE = resolve("search_space", {"use": "tiny", "width": 4, "classes": 3})
ARCHS = ((0, 0, 1, 0, 1, 0), (1, 0, 3, 0, 4, 0))
DATA = DataRecord(
    name="golden",
    classes=("a", "b", "c"),
    image_shape=(1, 8, 8),
    sizes={"train": 12, "valid": 6, "test": 6},
    split={"arch": 0.5, "valid": 0.25, "seed": 0},
    fingerprint="0123456789abcdef" * 4,
)
PROVENANCE = {"created": "2026-11-21T00:00:00+00:00", "host": "golden", "packages": {"torch": "2.0"}, "threads": 1}

A = TypeVar("A", bound=Artifact[Any])


def filled(state: Mapping[str, torch.Tensor], most: int = 1000) -> dict[str, torch.Tensor]:
    """The first names with their types and shapes, and values that every torch computes alike."""
    return {
        name: ((torch.arange(old.numel()) % 7 + 1) / 8).reshape(old.shape).to(old.dtype)
        for name, old in list(state.items())[:most]
    }


def complete(artifact: A, config: Mapping[str, Any], **inputs: Header) -> A:
    facts = {"config": dict(config), "inputs": inputs, "provenance": PROVENANCE}
    artifact.header = artifact.header.model_copy(update=facts)
    return artifact.sealed()


def make() -> dict[str, Artifact[Any]]:
    """All artifacts of version 1 by file name."""
    space: Tiny = REFERENCE.build()
    record = record_of(REFERENCE, space.space)
    both: dict[str, Any] = {"space": record, "data": DATA}

    factors = tuple(((i,), np.arange(5, dtype=np.int64) * 1000 * (i + 1)) for i in range(6))
    latency = tuple(((i,), np.arange(5, dtype=np.float64) / 64) for i in range(6))
    columns = {
        "latency_ms": Column("ms", 0.125, latency, False, 0.03125, {"device": "golden", "batch": 1, "rounds": 5}),
        "macs": Column("MAC", 2304, factors, True),
    }
    lut = complete(LookupTable(Table(columns), space=record), {"meters": [{"use": "macs"}, {"use": "latency_ms"}]})

    payload = TrainedSupernet(
        filled(space.supernet().state_dict(), most=24), {"layer_0": torch.arange(5.0)}, {"step": 12}
    )
    supernet = complete(SupernetCheckpoint(payload, **both), {"epochs": 2, "seed": 0})

    summary = {"accuracy": 0.75, "costs": {"macs": 56304}}
    found = {"lut": lut.header.as_input(), "supernet": supernet.header.as_input()}
    arch = complete(Architecture(Choice(ARCHS[1]), summary=summary, **both), {"constraint": ["macs<=60000"]}, **found)
    numbers = np.array([0.75, np.nan]), np.array([0.5, np.nan]), np.array([6, 0])
    trials = Trials(np.array(ARCHS[::-1]), *numbers, {"macs": np.array([56304, 13304])}, {1: "the loss is nan"})
    history = complete(History(trials, **both), {"constraint": ["macs<=60000"]}, **found)

    network = {"width": 2, "layers": 1, "weights": {"last.bias": torch.arange(3.0)}}
    learned = LearnedState(
        "generator", {"metric": "macs", "tau": 0.5, "priors": torch.tensor(ARCHS), "network": network}
    )
    curve = {"curve": {"requested": [2304.0, 86304.0], "generated": [2304, 56304]}}
    generator = complete(
        StrategyState(learned, summary={"strategy": "generator", "metric": "macs", "tau": 0.5, **curve}, **both),
        {"constraint": ["macs<=60000"]},
        **found,
    )

    state = filled(space.model(ARCHS[1]).state_dict())
    model = complete(Model(TrainedModel(ARCHS[1], state), **both), {"epochs": 3}, arch=arch.header.as_input())
    values = {"top1": 0.5, "loss": 0.6875, "confusions": [{"true": "a", "predicted": "b", "images": 2}]}
    told = {"top1": "share of test images, 0 to 1", "loss": "mean cross-entropy per test image, nats"}
    evaluation = Reported(values, {"images_per_s": 8.5})
    report = complete(Report(evaluation, conventions=told, **both), {}, model=model.header.as_input())

    pictures = np.arange(2 * 3 * 8 * 8, dtype=np.uint8).reshape(2, 3, 8, 8)
    mistakes = complete(Mistakes(Mistaken(pictures, np.array([4, 1])), **both), {})

    won = {"run": "random-seed0", "strategy": "random", "supernet": "", "seed": 0, "score": 0.75, "evaluations": 2}
    standing = {"strategy": "random", "supernet": "", "seeds": 1, "score": 0.75, "interval": None, "rank": None}
    standing |= {"advantage": None, "advantage_interval": None, "evaluations": 2.0}
    comparison = complete(
        Comparison(Runs([won], [standing], {"seconds": {"random-seed0": 1.5}}), **both),
        {},
        **{"random-seed0": arch.header.as_input()},
    )

    taken = {"name": "x", "dtype": "float32", "shape": [1, 8, 8], "mean": [0.5], "std": [0.25]}
    given = {"name": "y", "dtype": "float32", "shape": [3]}
    written = {"form": "source", "files": ["network.py", "weights.pth"], "batch": None}
    deployed = {"architecture": list(ARCHS[1]), "input": taken, "output": given, "classes": ["a", "b", "c"]}
    deployed |= {"torch": written, "files": {"network.py": "0" * 64, "weights.pth": "1" * 64}}
    distances = {"torch": {"max_abs_difference": 0.0, "largest_output": 0.5, "tolerance": 1e-6}}
    export = complete(Export(Reported(deployed, distances), **both), {}, model=model.header.as_input())

    optimizer = {"state": {0: {"momentum_buffer": torch.ones(2, 2)}}, "param_groups": [{"lr": 0.05, "params": [0]}]}
    streams = {"train": [1, 4]}
    progress = Progress(
        12, {"optimizers": {"weights": optimizer}, "streams": streams, "ema": None, "best": float("inf")}
    )
    checkpoint = complete(Checkpoint(progress, **both), {"epochs": 2, "seed": 0})
    return {
        "lut.h5": lut, "supernet.pt": supernet, "arch.npy": arch, "arch.history.h5": history,
        "arch.generator.pt": generator, "model.pt": model, "report.json": report, "compare.json": comparison,
        "export.json": export, "checkpoint.pt": checkpoint, "report.mistakes.h5": mistakes,
    }  # fmt: skip


if __name__ == "__main__":
    for file, artifact in make().items():
        artifact.write(FOLDER / file)
