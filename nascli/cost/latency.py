"""Latency of blocks on this machine's CPU, in plain torch."""

from __future__ import annotations

import logging
import platform
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from nascli.cost.meter import Meter

if TYPE_CHECKING:
    from torch import nn


class Latency(Meter):
    """Milliseconds of one forward, measured in interleaved rounds.

    After a warm-up, each round times every block once, in random order, so that the load of a moment meets all
    blocks alike; the median over the rounds is the cost. `reliability` in the notes is the rank correlation
    between the medians of the odd and of the even rounds.
    """

    class Config(Meter.Config):
        """Conditions of the measurement."""

        rounds: int = Field(15, ge=3, description="how often each block is timed")
        warmup: int = Field(3, ge=1, description="forwards before the first round")
        threads: int = Field(1, ge=1, description="threads of torch")
        batch: int = Field(1, ge=1, description="images a forward")

    config: Config
    metric, unit, exact = "latency_ms", "ms", False

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self._reliability: float | None = None

    def measure(self, module: nn.Module, shape: tuple[int, ...]) -> float:
        """Milliseconds of one forward of `batch` images of shape (C, H, W)."""
        return float(self.measure_all([(module, shape)])[0])

    def measure_all(self, blocks: Sequence[tuple[nn.Module, tuple[int, ...]]]) -> list[int | float]:
        """Milliseconds of each block."""
        import torch

        # torch's timer also knows C++ and says so when it finds no CUDA beside it; nothing here compiles anything
        logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
        from torch.utils.benchmark import Timer

        with torch.inference_mode():
            timers, drawn = [], torch.Generator().manual_seed(0)
            for module, shape in blocks:
                module.eval().to(memory_format=torch.contiguous_format)
                names = {"module": module, "x": torch.rand(self.config.batch, *shape, generator=drawn)}
                timers.append(Timer("module(x)", globals=names, num_threads=self.config.threads))
                timers[-1].timeit(self.config.warmup)
            rounds = [self._round(timers, np.random.default_rng(i)) for i in range(self.config.rounds)]
        times = np.array(rounds)
        self._reliability = _spearman(np.median(times[::2], axis=0), np.median(times[1::2], axis=0))
        return [float(t) for t in np.median(times, axis=0)]

    def _round(self, timers: Sequence[Any], rng: np.random.Generator) -> list[float]:
        times = [0.0] * len(timers)
        for i in rng.permutation(len(timers)):
            times[i] = 1e3 * timers[i].timeit(1).mean
        return times

    def notes(self) -> Mapping[str, Any]:
        """The conditions, and how far two halves of the rounds agree."""
        conditions = {
            **self.config.model_dump(),
            "backend": "torch",
            "layout": "contiguous",
            "device": platform.processor() or "cpu",
        }
        return {**conditions, "statistic": "median", "reliability": self._reliability}


def _spearman(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any]) -> float | None:
    if len(first) < 3:
        return None
    ranks = np.argsort(np.argsort(np.stack([first, second]), axis=1), axis=1)
    return float(np.asarray(np.corrcoef(ranks))[0, 1])
