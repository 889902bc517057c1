"""What the campaign has found, as it is stored: the truth, the supernets' scores, and the rankings they give."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from tests.campaigns.fidelity_statistics import Predictor, Values, by_accuracy
from tests.campaigns.fidelity_truth import SUPERNETS, TABLE, Entry, Table

SKIP = 0


@dataclass(frozen=True)
class Findings:
    """The truth and the supernets' scores, as they are stored.

    `trainings`: how many trainings alone see as many batches as a supernet.
    """

    recipe: Entry
    table: Table
    supernets: Mapping[str, Sequence[Entry]]
    trainings: float

    @classmethod
    def read(cls, data: Path) -> Findings:
        """From the two files of a folder."""
        table, scored = (json.loads((data / name).read_text()) for name in (TABLE, SUPERNETS))
        names, n = scored["recipe"]["strategies"], len(scored["recipe"]["seeds"])
        supernets = {name: [scored[f"{name} {seed}"] for seed in range(n)] for name in names}
        recipe = table.pop("recipe")
        (epochs,) = (word.removeprefix("epochs=") for word in names["uniform"] if word.startswith("epochs="))
        return cls(recipe, table, supernets, int(epochs) / recipe["config"]["epochs"])

    @cached_property
    def nll(self) -> Values:
        """Of every architecture alone (n, seeds)."""
        return np.array([entry["valid_nll"] for entry in self.table.values()])

    @cached_property
    def errors(self) -> Values:
        """Of every architecture alone (n, seeds), in percent."""
        return 100 - np.array([entry["valid_acc"] for entry in self.table.values()])

    @cached_property
    def macs(self) -> Values:
        """Of every architecture (n,)."""
        return np.array([float(entry["macs"]) for entry in self.table.values()])

    def scores(self, strategy: str, place: int) -> Values:
        """(n, supernets): losses (0) or accuracies (1)."""
        columns = [[one["scores"][arch][place] for arch in self.table] for one in self.supernets[strategy]]
        return np.array(columns).T

    def predictors(self) -> dict[str, Predictor]:
        """All that is compared, the strategies first."""
        return {**self.by_loss(), **self.by_probability(), **self.baselines()}

    def by_loss(self) -> dict[str, Predictor]:
        """Each strategy's supernets, by their losses."""
        return {name: Predictor(self.scores(name, 0)) for name in self.supernets}

    def by_mean_loss(self) -> dict[str, Predictor]:
        """Each strategy, by the mean over its supernets."""
        return {name: Predictor(self.scores(name, 0).mean(1, keepdims=True)) for name in self.supernets}

    def in_order_of_search(self) -> dict[str, Predictor]:
        """Each strategy's supernets, as `nascli search` orders architectures."""
        places = {
            name: [by_accuracy(*both) for both in zip(self.scores(name, 1).T, self.scores(name, 0).T, strict=True)]
            for name in self.supernets
        }
        return {name: Predictor(np.array(columns).T) for name, columns in places.items()}

    def by_probability(self) -> dict[str, Predictor]:
        """What differentiable training has learned: the probability of an architecture's choices."""
        having = {name: ones for name, ones in self.supernets.items() if all(one["probabilities"] for one in ones)}
        return {
            f"{name}, its probabilities": Predictor(np.array([self._improbable(one) for one in ones]).T)
            for name, ones in having.items()
        }

    def _improbable(self, one: Entry) -> list[float]:
        layers = one["probabilities"].values()
        return [
            -sum(float(np.log(layer[i])) for layer, i in zip(layers, choices(arch), strict=True)) for arch in self.table
        ]

    def baselines(self) -> dict[str, Predictor]:
        """What needs no supernet: more is expected to be better."""
        depth = [[-float(sum(i != SKIP for i in choices(arch)))] for arch in self.table]
        return {
            "each trained alone, one seed": Predictor(self.nll, own_seeds=True),
            "MACs": Predictor(-self.macs[:, None]),
            "number of layers that are not `skip`": Predictor(np.array(depth)),
            "none: drawn at random": Predictor(np.zeros((len(self.table), 1))),
        }


def choices(arch: str) -> list[int]:
    """The indices of an architecture in one word."""
    return [int(i) for i in arch.split(",")]
