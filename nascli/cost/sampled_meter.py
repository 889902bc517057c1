"""Meters whose samples differ from time to time: they measure in interleaved rounds, whole networks among them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from nascli.cost.meter import Meter
from nascli.cost.rounds import Array, Goal, Keeper, Rounds, Sampler, half_difference, reliability, run_rounds

if TYPE_CHECKING:
    from torch import nn

Item = tuple["nn.Module", tuple[int, ...]]


class SampledMeter(Meter):
    """Measures everything once a round, in random order, until two halves of the rounds agree.

    A subclass says what one sample is. With `networks`, so many whole networks are measured in the same rounds;
    they correct and judge the table (`nascli.cost.validation`).
    """

    class Config(Meter.Config):
        """How long to measure, and what the table is checked on."""

        rounds: int = Field(30, ge=3, description="rounds at least; each samples every block once")
        min_reliability: float = Field(0.99, gt=0, le=1, description="rank correlation of two halves of the rounds")
        tolerance: float = Field(0.01, gt=0, description="median relative difference of the two halves to come below")
        budget_s: float = Field(120.0, gt=0, description="seconds after which no further round begins")
        statistic: Literal["median", "minimum"] = Field("median", description="of a block's samples")
        networks: int = Field(
            60, ge=0, description="whole networks in the same rounds: a third fits the table, the others judge it; or 0"
        )
        device: str | None = Field(
            None,
            pattern=r"^[A-Za-z0-9_.-]+$",
            description="name of the machine: the metric is METRIC@DEVICE",
        )

    config: Config
    exact = False
    keeper: Keeper | None = None
    threads: int = 1

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        if self.config.device:
            self.metric = f"{self.metric}@{self.config.device}"
        self._found: dict[str, Any] = {}

    @abstractmethod
    def sampler(self, module: nn.Module, shape: tuple[int, ...]) -> Sampler:
        """What samples `module`, in evaluation mode, on inputs of `shape` (C, H, W): called once a round."""

    def block_sampler(self, module: nn.Module, shape: tuple[int, ...]) -> Sampler:
        """The same for a block of a table; override it where short work wants more care than whole networks."""
        return self.sampler(module, shape)

    def empty(self) -> Sampler | None:
        """What samples nothing at all, if that costs something; its median is subtracted from each block."""
        return None

    def conditions(self) -> AbstractContextManager[Any]:
        """What holds while samplers are made and called."""
        return nullcontext()

    def measure(self, module: nn.Module, shape: tuple[int, ...]) -> float:
        """What one module costs as a whole network: nothing is subtracted."""
        return float(self.value(self.sample_all([], [(module, shape)]).samples)[0])

    def measure_all(self, blocks: Sequence[Item]) -> list[int | float]:
        """What each block costs: the statistic of its samples."""
        return [float(cost) for cost in self.value(self.sample_all(blocks, []).samples)]

    def sample_all(self, blocks: Sequence[Item], networks: Sequence[Item]) -> Rounds:
        """Samples (rounds, blocks + networks), those of blocks less what nothing costs; `notes` then tells of them."""
        options, n, m = self.config, len(blocks), len(networks)
        goal = Goal(options.rounds, options.min_reliability, options.tolerance, options.budget_s)

        def judged(samples: Array) -> Array:
            return _less_empty(samples, n, m)[:, : n or m]

        with self.conditions():
            samplers = [self.block_sampler(module.eval(), shape) for module, shape in blocks]
            samplers += [self.sampler(module.eval(), shape) for module, shape in networks]
            empty = self.empty() if blocks else None
            every = samplers if empty is None else [*samplers, *[empty] * EMPTIES]
            found = run_rounds(self.metric, every, judged, goal, self.keeper, self.threads)
        seen = judged(found.samples)
        self._found = {
            "rounds": len(seen),
            "reliability": reliability(seen),
            "half_difference": half_difference(seen),
            "overhead": None if empty is None else float(np.median(found.samples[:, n + m :])),
            **found.facts,
        }
        return replace(found, samples=_less_empty(found.samples, n, m))

    def value(self, samples: Array) -> Array:
        """The statistic (n,) of samples (rounds, n)."""
        pick = np.median if self.config.statistic == "median" else np.min
        return np.asarray(pick(samples, axis=0))

    def notes(self) -> Mapping[str, Any]:
        """The conditions, and what is known of the samples."""
        return {**self.config.model_dump(mode="json", exclude={"networks"}), **self._found}


EMPTIES = 5
"""How often a round samples nothing at all; every block has the median subtracted, so it had better be exact."""


def _less_empty(samples: Array, n: int, m: int) -> Array:
    """Samples (rounds, n blocks + m networks), the blocks less the median of what comes behind them, if anything."""
    if samples.shape[1] == n + m:
        return samples
    overhead = np.median(samples[:, n + m :])
    return np.concatenate([np.maximum(samples[:, :n] - overhead, 0.0), samples[:, n : n + m]], axis=1)
