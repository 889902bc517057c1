"""What each process of a run does in `test_ranks.py`; also runs alone, for what the others are compared with.

python -m tests.ranks_worker FOLDER PROCESSES
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from nascli.artifacts.history import History
from nascli.artifacts.model import Model, TrainedModel
from nascli.artifacts.supernet import SupernetCheckpoint, TrainedSupernet
from nascli.component import resolve
from nascli.dataflow.base import Batch
from nascli.dataflow.synthetic import Synthetic
from nascli.ranks import Ranks, together, wanted
from nascli.run import Run
from nascli.search_space.base import record_of
from nascli.search_space.tiny import Tiny
from nascli.supernet.base import Supernet
from nascli.training_agent.base import EvaluatorInputs, Setup
from nascli.training_agent.classification import Classification
from nascli.training_agent.jobs import evaluate
from nascli.training_agent.searching import Search, run_search
from nascli.training_agent.settings import Engines, Training
from nascli.training_agent.supernet_training import Plan, train_supernet
from nascli.training_strategy.base import TrainingStrategy

STRATEGIES: dict[str, Any] = {
    "uniform": {"use": "uniform"},
    "sandwich": {"use": "sandwich", "allow_unshared": True},
    "differentiable": {"use": "differentiable"},
}
SPACE = {"use": "tiny", "input_shape": (3, 8, 8), "classes": 4, "width": 4}
STEPS = 5


class Doubles(Synthetic):
    """Images in double precision."""

    def batches(self, *arguments: Any, **options: Any) -> Iterator[Batch]:
        for images, labels in super().batches(*arguments, **options):
            yield Batch(images.double(), labels)


class Exact(Tiny):
    """In double precision; without BatchNorm unless wanted."""

    normed = False

    def supernet(self) -> Supernet:
        found = super().supernet()
        for module in list(found.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, _BatchNorm) and not self.normed:
                    setattr(module, name, nn.Identity())
        with torch.no_grad():
            for parameter in found.parameters():
                parameter.mul_(1 if self.normed else 2)  # signals that fade would move nothing
        return found.double()


class Normed(Exact):
    """With BatchNorm."""

    normed = True


def flow(kind: type[Synthetic], **sizes: int) -> Synthetic:
    shape = {"classes": 4, "image_shape": (3, 8, 8), "batch_size": 8, "valid_share": 0.2}
    return kind(kind.Config(**{**shape, "train_images": 100, "test_images": 37, **sizes}))


def run_of(folder: Path, name: str, ranks: Ranks) -> Run:
    run = Run(folder / name)
    run.ranks = ranks
    return run


def setup(run: Run, kind: type[Synthetic] = Synthetic) -> Setup:
    return Setup(Classification(), flow(kind), run)


def trained(folder: Path, ranks: Ranks, strategy: str, kind: type[Exact] = Exact, **options: Any) -> dict[str, Any]:
    """All tensors of a supernet after a few steps of SGD, and the reported loss."""
    chosen: TrainingStrategy = resolve("training_strategy", STRATEGIES[strategy]).build()
    told = Training(epochs=1, accelerator="cpu", momentum=0.9, learning_rate=0.05, warmup_epochs=0, **options)
    run = run_of(folder, f"{strategy}.pt", ranks)
    data = flow(Doubles, train_images=8 * STEPS * 5 // 4)
    space = kind(kind.Config(input_shape=(3, 8, 8), classes=4, width=4))
    result, summary = train_supernet(space, chosen, Setup(Classification(), data, run), told, Plan())
    state = {f"weights.{name}": value for name, value in result.state_dict.items()}
    state |= {f"arch.{name}": value for name, value in result.arch_parameters.items()}
    return state | {"loss": torch.tensor(summary["train_loss"]), "steps": torch.tensor(summary["steps"])}


def weights() -> dict[str, torch.Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return dict(resolve("search_space", SPACE).build().supernet().state_dict())


def searched(folder: Path, ranks: Ranks, **evaluator: Any) -> dict[str, Any]:
    """A search by evolution with the weights of a supernet that was not trained."""
    space = resolve("search_space", SPACE)
    run = run_of(folder, "arch.npy", ranks)
    record, given = record_of(space, space.build().space), setup(run)
    supernet = SupernetCheckpoint(TrainedSupernet(weights(), {}), data=given.dataflow.describe(), space=record)
    strategy = resolve("search_strategy", {"use": "evolution", "population": 6, "parents": 3})
    told = Search(
        strategy, resolve("evaluator", {"use": "supernet", "calibration_images": 16, **evaluator}), (), 20, 1.0
    )
    inputs = EvaluatorInputs(space.build(), given, Engines(accelerator="cpu"), supernet)
    winner = run_search(inputs, record, None, told)
    found = {"arch": winner.payload.arch, "accuracy": winner.header.summary["accuracy"]}
    if ranks.is_first:
        trials = History.open(folder / "arch.history.h5").payload
        found["history"] = (trials.archs.tolist(), trials.accuracy.tolist(), trials.loss.tolist())
    return found


def evaluated(folder: Path, ranks: Ranks) -> dict[str, Any]:
    space = resolve("search_space", SPACE)
    arch = (1, 0, 4, 2, 3, 0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        state = space.build().model(arch).state_dict()
    given = setup(run_of(folder, "report.json", ranks))
    model = Model(TrainedModel(arch, state), data=given.dataflow.describe())
    found = evaluate(space.build(), given, Engines(accelerator="cpu"), model, None)
    return dict(found.report)


def work(folder: Path, ranks: Ranks) -> dict[str, Any]:
    """Everything that the tests look at."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {}
    for name in STRATEGIES:
        before = ranks.bytes_sent
        found[name] = trained(folder, ranks, name)
        found[f"{name} bytes"] = ranks.bytes_sent - before
    found["synchronised"] = trained(folder, ranks, "uniform", Normed, sync_batchnorm=True)
    found["local"] = trained(folder, ranks, "uniform", Normed)
    found["search"] = searched(folder, ranks)
    found["evaluate"] = evaluated(folder, ranks)
    return found


def main() -> None:
    torch.set_num_threads(1)
    folder, devices = Path(sys.argv[1]), int(sys.argv[2])
    with together(wanted(devices, 1, "cpu"), "cpu") as ranks:
        found = work(folder, ranks)
        torch.save(found, folder / f"rank{ranks.rank}.pt")


if __name__ == "__main__":
    main()
