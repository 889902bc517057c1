"""What processes gain and what they exchange, as one table: one thread each, on one machine.

    python -m tests.benchmarks.scaling [--only NAME …] [--seconds S] [--processes 2] [--batch 16]

The first process says what all do next, so that one process and several are timed in turns, in one run.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Mapping
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from nascli.component import resolve
from nascli.cost.feasible import FeasibleSet
from nascli.ranks import Ranks, together
from nascli.search_space.base import SearchSpace
from nascli.space import Forward
from nascli.training_agent.exchange import Share
from nascli.training_agent.loop import Trainer
from nascli.training_agent.searching import costs_of
from tests.benchmarks.pairs import Work
from tests.benchmarks.table import Found, Options, Row, run
from tests.benchmarks.training_work import Given, Still, feasible_of, same_optimizer, trainer_of

SPACE, IMAGES = "proxylessnas", 16
LARGE = ("fbnet_s", "proxylessnas")
IMAGENET = {"input_shape": (3, 224, 224), "classes": 1000}
SAMPLE = 1000
MB = 1e6


def path() -> Forward:
    """One path of the space, the same in all works."""
    feasible = feasible_of(SPACE)
    return feasible.space.forward(feasible.sample(1, np.random.default_rng(0))[0])


class Works:
    """What the processes can be told to do, by name; everyone makes them."""

    def __init__(self, ranks: Ranks, options: Options) -> None:
        self.ranks, self.options = ranks, options
        self.names: Mapping[str, Work] = {
            "alone": self._alone,
            "apart": self._apart,
            "together": self._together,
            "ddp": self._ddp,
            "whole": lambda: ranks.sum(self.gradients[0]),
            "path": lambda: ranks.sum(self.gradients[1]),
        }

    def trainer(self, share: Share | None = None) -> Trainer:
        """A trainer of one path and one batch, with a share of it or by itself."""
        strategy = Given()
        strategy.forward = path()
        trainer = trainer_of(SPACE, strategy, self.options.batch or IMAGES, self.options)
        if share is not None:
            trainer.ranks = self.ranks
            trainer.streams = {"train": Still(trainer.streams["train"].next(), share)}  # type: ignore[dict-item]
        return trainer

    @cached_property
    def alone(self) -> Trainer:
        """A batch of its own."""
        return self.trainer()

    @cached_property
    def shared(self) -> Trainer:
        """A batch for each process, which are one."""
        return self.trainer(Share(self.ranks, 1 / self.ranks.world_size))

    @cached_property
    def ddp(self) -> WithDdp:
        """The same by torch's own means."""
        return WithDdp(self.trainer())

    @cached_property
    def gradients(self) -> tuple[list[Tensor], list[Tensor]]:
        """Of all weights, and of those of the path."""
        self.shared._train_step()
        weights = list(self.shared.module.parameters())
        return [torch.zeros_like(p) for p in weights], [torch.zeros_like(p) for p in weights if p.grad is not None]

    def _alone(self) -> None:
        if self.ranks.is_first:
            self.alone._train_step()

    def _apart(self) -> None:
        self.alone._train_step()
        self.ranks.barrier()

    def _together(self) -> None:
        self.shared._train_step()

    def _ddp(self) -> None:
        self.ddp()

    def told(self, name: str) -> Work:
        """On the first process: all do this."""

        def work() -> None:
            self.ranks.broadcast(name)
            self.names[name]()

        return work

    def serve(self) -> None:
        """On the others: what the first says, until it says nothing."""
        while name := self.ranks.broadcast(""):
            self.names[name]()


class WithDdp:
    """A hand-written loop over one path with DistributedDataParallel, which has to look for unused parameters."""

    def __init__(self, trainer: Trainer) -> None:
        module = copy.deepcopy(trainer.module)
        self.optimizer, self.weights = same_optimizer(trainer, module), list(module.parameters())
        self.module: nn.Module = DistributedDataParallel(module, find_unused_parameters=True)
        self.batch, self.forward = trainer.streams["train"].next(), path()

    def __call__(self) -> None:
        """One step."""
        self.optimizer.zero_grad()
        cross_entropy(self.module(self.batch.images, self.forward), self.batch.labels).backward()
        nn.utils.clip_grad_norm_(self.weights, 5.0)
        self.optimizer.step()


def versus(first: str, second: str, works: Works, options: Options) -> Found:
    """Seconds of one over another."""
    found = options.compare(works.told(first), works.told(second))
    return Found(f"{found}; {1000 * found.first_s:.1f} ms : {1000 * found.second_s:.1f} ms")


def sent(name: str, works: Works) -> int:
    """Bytes of tensors that each process gives into the exchange of one work."""
    works.told(name)()  # what it makes is there
    before = works.ranks.bytes_sent
    works.told(name)()
    return works.ranks.bytes_sent - before


def exchange(works: Works, options: Options) -> Found:
    """Bytes and seconds."""
    found = options.compare(works.told("whole"), works.told("path"))
    whole, one = sent("whole", works), sent("path", works)
    rates = whole / MB / found.first_s, one / MB / found.second_s
    return Found(
        f"{found}; {whole / MB:.1f} MB, {1000 * found.first_s:.1f} ms : {one / MB:.2f} MB, "
        f"{1000 * found.second_s:.2f} ms; {rates[0]:.0f} : {rates[1]:.0f} MB/s"
    )


def step_bytes(works: Works, options: Options) -> Found:
    """Gradients, running statistics and losses of a step."""
    path_alone, step = sent("path", works), sent("together", works)
    return Found(f"{step / MB:.3f} MB, of which gradients {path_alone / MB:.3f} MB")


def sizes(name: str) -> tuple[int, float, float]:
    """Parameters of a supernet for ImageNet; of its paths, the mean and the largest of a sample."""
    space: SearchSpace = resolve("search_space", {"use": name, **IMAGENET}).build()
    costs = costs_of(space, None)
    drawn = FeasibleSet(costs).sample(SAMPLE, np.random.default_rng(0))
    paths = costs.total("params", drawn)
    return sum(p.numel() for p in space.supernet().parameters()), float(paths.mean()), float(paths.max())


def path_size(name: str, works: Works, options: Options) -> Found:
    """Megabytes of gradients."""
    whole, mean, largest = (4 * size / MB for size in sizes(name))
    text = f"{mean:.1f} MB a path (at most {largest:.1f}), {whole:.1f} MB all: {whole / mean:.1f} times as much"
    return Found(text)


Measure = Callable[[Works, Options], Found]
ROWS: Mapping[str, tuple[str, Measure]] = {
    "weak": (f"{SPACE}, a step: n processes, n batches : one process, one", partial(versus, "together", "alone")),
    "load": ("the same without exchange : one process, one", partial(versus, "apart", "alone")),
    "ddp": ("the same with DistributedDataParallel : as nascli does it", partial(versus, "ddp", "together")),
    "exchange": (f"{SPACE}, sum of all gradients : of the path's", exchange),
    "bytes": (f"{SPACE}, 32 px, 10 classes: exchanged in a step", step_bytes),
    **{f"path_{name}": (f"{name}, 1000 classes: gradients", partial(path_size, name)) for name in LARGE},
}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=ROWS, metavar="NAME", help=f"rows: {', '.join(ROWS)}")
    parser.add_argument("--seconds", type=float, default=60.0, help="for the pairs of one row")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--batch", type=int, help="images a step and process")
    told = parser.parse_args()
    torch.set_num_threads(1)
    options = Options(told.seconds, told.batch, threads=1)
    with together((told.processes, 1), "cpu") as ranks:
        torch.set_num_threads(1)
        works = Works(ranks, options)
        if not ranks.is_first:
            works.serve()
            return
        rows = [Row(name, ROWS[name][0], "", partial(ROWS[name][1], works)) for name in told.only or ROWS]
        run(f"{told.processes} processes", rows, options)
        ranks.broadcast("")


if __name__ == "__main__":
    main()
