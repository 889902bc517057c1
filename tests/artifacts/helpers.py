"""One small artifact of each kind, and files that are not what they seem."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from nascli.artifacts.architecture import Architecture, Choice
from nascli.artifacts.base import Artifact, read_header
from nascli.artifacts.checkpoint import Checkpoint, Progress
from nascli.artifacts.files import sha256
from nascli.artifacts.header import DataRecord, SpaceRecord
from nascli.artifacts.history import History, Trials
from nascli.artifacts.lookup_table import Column, LookupTable, Table
from nascli.artifacts.mistakes import Mistaken, Mistakes
from nascli.artifacts.model import Model, TrainedModel
from nascli.artifacts.report import Report
from nascli.artifacts.reported import Reported
from nascli.artifacts.strategy_state import LearnedState, StrategyState
from nascli.artifacts.supernet import SupernetCheckpoint, TrainedSupernet
from nascli.artifacts.torch_format import RECORD
from nascli.space import Decision, Space

SPACE = Space("three", tuple(Decision(f"layer_{i}", ("skip", "conv", "wide")) for i in range(3)), (1, 8, 8), 10)
POINTS: dict[str, Any] = {"name": "points", "classes": ("a", "b"), "image_shape": (1, 8, 8), "sizes": {"train": 8}}
DATA = DataRecord(**POINTS, split={"seed": 0}, fingerprint="f" * 64)


def record(space: Space = SPACE) -> SpaceRecord:
    return SpaceRecord(use=space.name, options={}, description=space.describe(), fingerprint=space.fingerprint)


def architecture(arch: tuple[int, ...] = (0, 2, 1)) -> Architecture:
    return Architecture(Choice(arch), space=record(), data=DATA, summary={"accuracy": 0.5})


def history(n: int = 2) -> History:
    archs = np.arange(3 * n, dtype=np.int64).reshape(n, 3) % 3
    numbers = np.linspace(0, 1, n)
    trials = Trials(archs, numbers, 1 - numbers, np.full(n, 8), {"macs": np.arange(n)}, {0: "broken [n]"} if n else {})
    return History(trials, space=record())


def lookup_table() -> LookupTable:
    factors = tuple(((i,), np.arange(3) * (i + 1)) for i in range(3))
    macs = Column("MAC", 7, factors, True)
    cells = ((0, 1), np.ones((3, 3)) / 8), ((2,), np.zeros(3))
    latency = Column("ms", 0.5, cells, False, 0.02, {"rounds": 5})
    return LookupTable(Table({"macs": macs, "latency_ms": latency}), space=record())


def model() -> Model:
    state = {"weight": torch.arange(6.0).reshape(2, 3), "steps": torch.tensor(3), "none": torch.zeros(0)}
    return Model(TrainedModel((0, 2, 1), state), space=record(), data=DATA)


def supernet() -> SupernetCheckpoint:
    state = {"weight": torch.linspace(0, 1, 4), "half": torch.ones(2, dtype=torch.bfloat16)}
    return SupernetCheckpoint(TrainedSupernet(state, {"layer_0": torch.zeros(3)}, {"step": 4}), space=record())


def checkpoint() -> Checkpoint:
    state = {"adam": [{"lr": 0.1, "betas": [0.9, 0.99]}, {0: torch.ones(2)}], "best": float("inf"), "ema": None}
    return Checkpoint(Progress(3, state), space=record())


def strategy_state() -> StrategyState:
    state = {"metric": "macs", "priors": torch.arange(6).reshape(2, 3), "network": {"weights": {"a.b": torch.ones(2)}}}
    return StrategyState(LearnedState("generator", state), space=record(), summary={"strategy": "generator"})


def report() -> Report:
    return Report(Reported({"top1": 0.75, "images": 8}, {"seconds": 0.25}), space=record(), data=DATA)


def mistakes() -> Mistakes:
    pictures = np.arange(2 * 1 * 8 * 8, dtype=np.uint8).reshape(2, 1, 8, 8)
    return Mistakes(Mistaken(pictures, np.array([5, 2])), space=record(), data=DATA)


SAMPLES: Mapping[str, Callable[[], Artifact[Any]]] = {
    "arch.npy": architecture,
    "history.h5": history,
    "lut.h5": lookup_table,
    "model.pt": model,
    "supernet.pt": supernet,
    "checkpoint.pt": checkpoint,
    "generator.pt": strategy_state,
    "report.json": report,
    "report.mistakes.h5": mistakes,
}


def written(folder: Path, name: str) -> Artifact[Any]:
    """The sample called `name` in a file of that name."""
    return SAMPLES[name]().write(folder / name)


def same(first: Any, second: Any) -> bool:
    """Whether two payloads are equal, down to the types and bits of arrays and tensors."""
    if isinstance(first, torch.Tensor):
        return (
            isinstance(second, torch.Tensor)
            and (first.dtype, first.shape) == (second.dtype, second.shape)
            and torch.equal(first.reshape(-1).view(torch.uint8), second.reshape(-1).view(torch.uint8))
        )
    if isinstance(first, np.ndarray):
        return (first.dtype, first.shape, first.tobytes()) == (second.dtype, second.shape, second.tobytes())
    if hasattr(first, "__dataclass_fields__"):
        return type(first) is type(second) and same(vars(first), vars(second))
    if isinstance(first, Mapping):
        return first.keys() == second.keys() and all(same(item, second[key]) for key, item in first.items())
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return type(first) is type(second) and first == second


def with_pickle(source: Path, path: Path, pickled: bytes, fitting: bool = True) -> Path:
    """A copy of a `.pt` whose pickle is another one, the hashes of its records made to fit or not."""
    with zipfile.ZipFile(source) as archive:
        records = {name: archive.read(name) for name in archive.namelist() if name != RECORD}
    records["archive/data.pkl"] = pickled
    header = read_header(source)
    if fitting:
        header = header.model_copy(update={"storage": {name: sha256(raw) for name, raw in records.items()}})
    with zipfile.ZipFile(path, "w") as archive:
        for name, raw in {**records, RECORD: header.to_bytes()}.items():
            archive.writestr(name, raw)
    return path


def with_h5(source: Path, path: Path, change: Callable[[h5py.File], None]) -> Path:
    """A copy of an `.h5` that `change` had its way with."""
    with h5py.File(path, "w") as target:
        with h5py.File(source) as original:
            for name in original:
                original.copy(name, target)
        change(target)
    return path


def npy(*arrays: Any, **options: Any) -> bytes:
    """`.npy` arrays one after the other."""
    stream = io.BytesIO()
    for array in arrays:
        np.save(stream, array, **options)
    return stream.getvalue()
