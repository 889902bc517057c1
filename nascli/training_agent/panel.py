"""Validation of a supernet: a fixed panel of architectures, scored again and again while it trains."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from torch import nn

from nascli.cost.feasible import FeasibleSet
from nascli.engine import Engine
from nascli.ranks import dealt
from nascli.space import Archs, compact
from nascli.supernet.base import Supernet
from nascli.training_agent.base import Setup
from nascli.training_agent.scorer import Images, Scorer
from nascli.training_agent.scoring import Replay

DRAWN = 64  # architectures from which the cheapest and the dearest are taken, for each one of the panel


@dataclass(frozen=True)
class PanelOptions:
    """How a supernet is validated.

    Args:
        size: architectures in the panel.
        epochs: between two evaluations.
        images: that re-estimate BatchNorm, and at most as many of the `valid` split to score on.
    """

    size: int
    epochs: int
    images: int


def members(feasible: FeasibleSet, size: int, seed: int) -> Archs:
    """Different architectures (n, d), n ≤ size: the cheapest and the dearest of a sample, and uniform ones."""
    drawn = feasible.sample(DRAWN * size, np.random.default_rng([seed, size]))
    metric = next((c.metric for c in feasible.constraints), next(iter(feasible.model.metrics), None))
    if metric is not None:
        costs = feasible.model.total(metric, drawn)
        drawn = np.concatenate([drawn[[costs.argmin(), costs.argmax()]], drawn])
    _, positions = np.unique(drawn, axis=0, return_index=True)
    return drawn[np.sort(positions)[:size]]


class Panel:
    """Scores of a few architectures with the weights of the moment, and how their ranking settles.

    Args:
        feasible: the architectures that matter: those within the constraint.
        setup: data, agent and run.
        options: size and pace.
        engine: where to compute.

    Raises:
        ConfigError: there are no images to validate on.
    """

    def __init__(self, feasible: FeasibleSet, setup: Setup, options: PanelOptions, engine: Engine) -> None:
        self.space, self.archs = feasible.space, members(feasible, options.size, setup.run.seed)
        self.setup, self.options, self.engine = setup, options, engine
        setup.dataflow.indices("valid")  # refused before training, not after its first epochs
        self.rounds: list[dict[str, Any]] = []
        self.accuracies: list[float] = []

    def is_due(self, step: int, per_epoch: int, total: int) -> bool:
        """Whether to evaluate after this many steps."""
        return step == total or step % (self.options.epochs * per_epoch) == 0

    def evaluate(self, module: nn.Module, step: int) -> dict[str, Any]:
        """One more round, on a copy of `module`: BatchNorm re-estimated, evaluation transforms, `valid` split.

        Returns:
            "step", "mean" and "spread" (standard deviation) of the accuracies, and "tau", Kendall's rank
            correlation with the round before; None where it is not defined.
        """
        found = self._accuracies(copy.deepcopy(module))
        tau = kendall(self.accuracies, found) if self.rounds else None
        self.accuracies = found
        this = {"step": step, "mean": float(np.mean(found)), "spread": float(np.std(found)), "tau": tau}
        self.rounds.append(this)
        return this

    def _accuracies(self, module: Any) -> list[float]:
        supernet: Supernet = module
        source, seed, images = self.setup.dataflow, self.setup.run.seed, self.options.images
        given = Images(*(Replay(source, split, self.engine, limit=images, seed=seed) for split in ("train", "valid")))
        scorer = Scorer(supernet, self.space, given, self.setup.agent, self.engine)
        ranks = self.setup.run.ranks
        scores = [scorer.score(arch[None])[0] for arch in self.archs[ranks.rank :: ranks.world_size]]
        found = [0.0 if score.error else score.accuracy for score in scores]
        return ranks.first_does(partial(dealt, ranks.gather(found)))

    def summary(self) -> dict[str, Any]:
        """The panel's last accuracies by architecture, and all rounds, for the header."""
        last = dict(zip(map(compact, self.archs), self.accuracies, strict=True)) if self.rounds else {}
        return {"panel": last, "panel_rounds": self.rounds}

    def state_dict(self) -> dict[str, Any]:
        """Rounds so far."""
        return {"rounds": [dict(this) for this in self.rounds], "accuracies": list(self.accuracies)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state_dict`."""
        self.rounds, self.accuracies = list(state["rounds"]), list(state["accuracies"])


def kendall(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Kendall's tau-b of two rankings; None where it is not defined: fewer than two values, or all equal."""
    from scipy.stats import kendalltau

    if len(set(first)) < 2 or len(set(second)) < 2:
        return None
    return float(kendalltau(first, second).statistic)
