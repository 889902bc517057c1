"""A trained generator: from a cost to architectures, without a supernet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.errors import ArtifactError
from nascli.search_strategy.generator_network import GeneratorNetwork
from nascli.search_strategy.priors import PriorPool
from nascli.space import Archs


class TrainedGenerator:
    """The network, the metric that it was trained on, and the priors it begins from.

    Costs are relative to the range of the cost model at hand: another device's table will do, and its priors are put
    in the order of that table.
    """

    def __init__(self, network: GeneratorNetwork, model: CostModel, metric: str, pool: PriorPool) -> None:
        self.network, self.model, self.metric, self.pool = network, model, metric, pool
        self.low, self.high = FeasibleSet(model).bounds(metric)

    def logits(self, totals: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
        """Architecture parameters, (n, size) a decision, of architectures that should cost about `totals` (n,).

        Each comes from the prior that is nearest to its total.
        """
        priors = np.concatenate([self.pool.near(total, 1) for total in totals.tolist()])
        targets = (np.clip(totals, self.low, self.high) - self.low) / ((self.high - self.low) or 1.0)
        with torch.no_grad():
            logits = self.network(torch.from_numpy(targets).float(), torch.from_numpy(priors))
        return [rows.double().numpy() for rows in logits]

    def archs(self, logits: Sequence[npt.NDArray[np.float64]]) -> Archs:
        """The architectures (n, d) of the largest parameters, whatever they cost."""
        return self.model.space.canonical(np.stack([rows.argmax(axis=1) for rows in logits], axis=1))

    def judged(self, n: int) -> dict[str, Any]:
        """Kendall's "tau" of requested and generated costs at `n` places of the range, and the "curve" of both.

        `tau` is None where costs cannot be ranked, since all that was generated costs the same.
        """
        from scipy.stats import kendalltau

        requested = np.linspace(self.low, self.high, n)
        generated = self.model.total(self.metric, self.archs(self.logits(requested)))
        ranked = len(set(generated.tolist())) > 1
        tau = float(kendalltau(requested, generated).statistic) if ranked else None
        return {"tau": tau, "curve": {"requested": requested.tolist(), "generated": generated.tolist()}}

    def state_dict(self) -> dict[str, Any]:
        """What `restored` takes."""
        network = {"width": self.network.first.out_features, "layers": len(self.network.hidden)}
        weights = {**network, "weights": self.network.state_dict()}
        return {"metric": self.metric, "priors": torch.from_numpy(self.pool.archs), "network": weights}

    @classmethod
    def restored(cls, state: Mapping[str, Any], model: CostModel) -> Self:
        """The generator of a `state_dict`, for a cost model with its metric.

        Raises:
            ArtifactError: the state makes no sense, or not for this space.
        """
        try:
            told, metric = state["network"], str(state["metric"])
            with torch.random.fork_rng(devices=[]):
                network = GeneratorNetwork(model.space.sizes, told["width"], told["layers"])
            network.load_state_dict(told["weights"])
            priors = model.space.check(state["priors"].numpy())
        except (KeyError, TypeError, AttributeError, RuntimeError) as error:
            why = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            raise ArtifactError("what the generator learned cannot be read", why=why) from None
        return cls(network, model, metric, PriorPool.of(priors, model, metric))
