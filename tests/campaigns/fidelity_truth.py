"""The truth: every architecture of a small space trained alone, by several seeds."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import IO, Any

import numpy as np

from nascli.artifacts.files import atomic_write
from nascli.artifacts.header import provenance
from nascli.config import Config
from nascli.cost.macs import Macs
from nascli.cost.params import Params
from nascli.run import Run
from nascli.search_space.base import SearchSpace
from nascli.space import Archs, compact
from nascli.stage.declaration import stage_of
from nascli.stage.settings import load_config, settings
from nascli.training_agent.jobs import retrain as trained_alone
from nascli.training_agent.scoring import Replay, score
from stages.retrain import RetrainConfig, retrain

YAML = Path(__file__).parent / "fidelity.yaml"
DATA = Path(__file__).parent / "data"
TABLE, SUPERNETS = "fidelity_digits.json", "fidelity_supernets.json"
UNFINISHED = 75  # exit code: run it again, it goes on

Entry = dict[str, Any]
Table = dict[str, Entry]


@dataclass(frozen=True)
class Done:
    """What one training alone gave on the validation split."""

    arch: str
    seed: int
    nll: float
    accuracy: float


def settings_of(stage: Any, *assignments: str) -> Any:
    """The settings of a stage for this campaign."""
    return load_config(stage_of(stage), YAML, assignments, {})


def space_of(config: Any) -> SearchSpace:
    """The campaign's search space."""
    found: SearchSpace = config.search_space.build()
    return found


def architectures(space: SearchSpace) -> Archs:
    """All of them (n, d), in lexicographic order."""
    return np.array(list(product(*map(range, space.space.sizes))), dtype=np.int64)


def recipe_of(config: Config, seeds: int) -> Entry:
    """What the trainings were told, on what, and with which versions."""
    about = provenance()
    run = Run(Path("recipe.pt"))
    return {
        "config": json.loads(json.dumps(settings(config, everything=False))),
        "data": config.setup(run).dataflow.describe().fingerprint,  # type: ignore[attr-defined]
        "space": space_of(config).space.fingerprint,
        "seeds": list(range(seeds)),
        "python": about["python"],
        "machine": about["machine"],
        "packages": {name: about["packages"][name] for name in ("torch", "torchvision", "numpy")},
    }


def changed(then: Any, now: Any, where: str = "") -> list[str]:
    """The keys of `then` that have another value now; options that came later do not count."""
    if isinstance(then, dict) and isinstance(now, dict):
        return [name for key in then for name in changed(then[key], now.get(key), f"{where}.{key}".lstrip("."))]
    return [] if then == now else [where]


def train_alone(config: RetrainConfig, arch: Archs, seed: int) -> Done:
    """Train an architecture as `nascli retrain` does, and score it on the validation split as it stands."""
    space = space_of(config)
    with tempfile.TemporaryDirectory() as folder:
        setup = config.setup(Run(Path(folder) / "model.pt", seed=seed))
        trained, _ = trained_alone(space, arch.tolist(), setup, config, splits=config.splits)
    engine = config.engine()
    network = space.model(arch.tolist())
    network.load_state_dict(trained.state_dict)
    found = score(
        engine.place(network), Replay(setup.dataflow, "valid", engine, limit=None, seed=seed), setup.agent, engine
    )
    if found.error:
        raise SystemExit(f"{compact(arch)}, seed {seed}: {found.error}")
    return Done(compact(arch), seed, found.loss, found.accuracy)


def read_done(path: Path) -> list[Done]:
    """The trainings of earlier calls; a line that a kill cut off is passed over."""
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [Done(**json.loads(line)) for line in lines if line.endswith("}\n")]


def run_truth(folder: Path, data: Path, seeds: int, minutes: float) -> int:
    """Train what is still to be trained, seed by seed, for so many minutes; the table when all is done."""
    config: RetrainConfig = settings_of(retrain)
    recipe, end = recipe_of(config, seeds), time.monotonic() + 60 * minutes
    log = folder / "truth.jsonl"
    same_recipe(folder / "recipe.json", recipe)
    archs, done = architectures(space_of(config)), read_done(log)
    known = {(one.arch, one.seed) for one in done}
    todo = [(arch, seed) for seed in range(seeds) for arch in archs if (compact(arch), seed) not in known]
    with log.open("a") as stream:
        stream.write("\n")  # ends a line that a kill cut off
        for n, (arch, seed) in enumerate(todo):
            if time.monotonic() > end:
                print(f"{len(todo) - n} of {seeds * len(archs)} trainings left: run it again", flush=True)
                return UNFINISHED
            one = train_alone(config, arch, seed)
            done.append(one)
            stream.write(json.dumps(vars(one)) + "\n")
            stream.flush()
    write_json(data / TABLE, {"recipe": recipe, **table_of(space_of(config), archs, done, seeds)})
    print(f"{data / TABLE}: {len(archs)} architectures by {seeds} seeds", flush=True)
    return 0


def same_recipe(path: Path, recipe: Entry) -> None:
    """Remember the recipe of a folder; ends the campaign where it holds trainings of another one."""
    told = {key: value for key, value in recipe.items() if key != "seeds"}
    if not path.exists():
        write_json(path, told)
    elif json.loads(path.read_text()) != told:
        raise SystemExit(f"{path.parent} holds trainings of another recipe; choose another --folder")


def table_of(space: SearchSpace, archs: Archs, done: Iterable[Done], seeds: int) -> Table:
    """{architecture: fields}, as the evaluator 'table' reads it; accuracies in percent."""
    costs = space.lookup_table([Macs(), Params()])
    results = {(one.arch, one.seed): one for one in done}
    table: Table = {}
    for arch in archs:
        found = [results[compact(arch), seed] for seed in range(seeds)]
        nll = float(np.mean([one.nll for one in found]))
        table[compact(arch)] = {
            "valid_nll": [round(one.nll, 6) for one in found],
            "valid_acc": [round(100 * one.accuracy, 4) for one in found],
            "mean_nll": round(nll, 6),
            "mean_acc": round(100 * float(np.mean([one.accuracy for one in found])), 4),
            "likelihood": round(float(np.exp(-nll)), 6),
            **{name: int(costs.total(name, arch[None])[0]) for name in costs.metrics},
        }
    return table


def write_json(path: Path, content: Entry) -> None:
    """One line for each entry, so that differences can be read."""
    entries = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items())
    write_text(path, "{\n" + ",\n".join(entries) + "\n}\n")


def write_text(path: Path, text: str) -> None:
    """Whole or not at all."""

    def put(stream: IO[bytes]) -> None:
        stream.write(text.encode())

    atomic_write(path, put)
