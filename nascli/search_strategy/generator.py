"""A network that answers any constraint: trained once against the frozen supernet, then asked (SGNAS)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from nascli.cost.constraint import windows
from nascli.errors import BudgetSpent, UsageError
from nascli.search_strategy.base import Learned, Outcome, SearchProblem, SearchStrategy, scored
from nascli.search_strategy.priors import PriorPool
from nascli.space import Archs
from nascli.supernet.temperature import TemperatureConfig

if TYPE_CHECKING:
    from nascli.search_strategy.trained_generator import TrainedGenerator

GRID = 24  # targets at which requested and generated costs are compared


class GeneratorTemperature(TemperatureConfig):
    """Priors have a lead of 1, which a higher temperature would drown."""

    start: float = Field(1.0, gt=0, description="at the first step")


class Generator(SearchStrategy):
    """An architecture generator (SGNAS, Huang and Chu, 2021, arXiv:2103.07289).

    A small network turns a target cost and a prior architecture near it into architecture parameters. It is trained
    once, by the losses of what it generates for targets all over the range, through the frozen supernet on the `arch`
    split, and by how far expected costs are from the targets. Then it answers any constraint at once: with the largest
    parameters for a few targets at the bound and just below it. What misses the constraint is repaired: it becomes
    the feasible architecture with the greatest sum of the same parameters. Answers are scored where scores are on
    offer. A later search begins with the trained network, `--generator`.
    """

    class Config(SearchStrategy.Config):
        """Options of the generator; those of its training say nothing where a trained one is given."""

        metric: str | None = Field(
            None, description="the cost that is asked for; null: that of the first constraint, else macs"
        )
        steps: int = Field(1000, ge=1, description="of training, one batch of the arch split each")
        mixture: Literal["proxyless", "gdas", "gumbel_softmax", "sum", "softmax"] = Field(
            "proxyless",
            description="how candidates run: two paths (proxyless), one (gdas), or all at many times the memory",
        )
        temperature: GeneratorTemperature = Field(
            GeneratorTemperature(), description="of draws and of expected costs: the lower, the closer to one-hot"
        )
        cost_weight: float = Field(100.0, gt=0, description="of the squared error of costs, as shares of their range")
        batch: int = Field(64, ge=1, description="targets a step; the first one's architecture runs, all costs count")
        learning_rate: float = Field(3e-3, gt=0, description="of Adam, at the first step; it falls along a cosine")
        clip_grad: float = Field(1.0, gt=0, description="largest norm of the gradient")
        width: int = Field(128, ge=1, description="of the network's layers")
        layers: int = Field(3, ge=0, description="hidden layers of the network")
        targets: int = Field(32, ge=1, description="places in the range of costs near which priors are drawn")
        priors: int = Field(8, ge=1, description="priors at each of them")
        answers: int = Field(4, ge=1, description="architectures that are generated for a constraint; the best wins")
        spread: float = Field(0.02, ge=0, le=1, description="how far below the bound they aim, as a share of the range")

    config: Config
    requires = frozenset({"score", "gradient"})
    learns = True
    _given: Mapping[str, Any] | None = None
    _learned: Learned | None = None

    def search(self, problem: SearchProblem, rng: np.random.Generator) -> Outcome:
        """Train, unless a trained network was given; then answer.

        Raises:
            UsageError: there are no costs of the metric, or the trained network is for another one.
            ArtifactError: the trained network cannot be read.
            RunFailed: a loss is not finite.
        """
        self._learned = None
        if self._given is None:
            trained, steps = self._train(problem, rng)
            facts = {"metric": trained.metric, "steps": steps, **trained.judged(GRID)}
            tau = facts["tau"]
            self._learned = Learned({**trained.state_dict(), "tau": tau}, facts)
        else:
            trained, tau = self._restored(self._given, problem), self._given.get("tau")
        return self._answer(problem, trained, tau)

    def learned(self) -> Learned | None:
        """The trained network, where this search trained one."""
        return self._learned

    def begin_with(self, state: Mapping[str, Any]) -> None:
        """Take a trained network."""
        self._given = state

    def _train(self, problem: SearchProblem, rng: np.random.Generator) -> tuple[TrainedGenerator, int]:
        """The generator, and how many steps it was trained: fewer than all where the time was up."""
        from nascli.search_strategy.generator_training import Training, new_network
        from nascli.search_strategy.trained_generator import TrainedGenerator

        told, metric = self.config, self._metric(problem)
        pool = PriorPool.drawn(problem.costs, metric, told.targets, told.priors, rng)
        seeds = [int(seed) for seed in rng.integers(2**63, size=2)]
        network = new_network(told, problem.space.sizes, seeds[0])
        trained = TrainedGenerator(network, problem.costs, metric, pool)
        training = Training(trained, told, problem, seeds[1])
        training.run()
        return trained, training.step

    def _metric(self, problem: SearchProblem) -> str:
        chosen = self.config.metric or problem.feasible.leading
        if chosen is None:
            raise UsageError("the generator asks for a cost, and there are none", hint="give a table: --lut lut.h5")
        return problem.costs[chosen].name

    def _restored(self, state: Mapping[str, Any], problem: SearchProblem) -> TrainedGenerator:
        from nascli.search_strategy.trained_generator import TrainedGenerator

        metric = state.get("metric")
        if self.config.metric is not None and self.config.metric != metric:
            raise UsageError(
                f"--generator was trained for {metric}, not for {self.config.metric}",
                hint="leave search_strategy.metric out, or train one without --generator",
            )
        return TrainedGenerator.restored(state, problem.costs)

    def _answer(self, problem: SearchProblem, trained: TrainedGenerator, tau: float | None) -> Outcome:
        target = _target(problem, trained)
        aims = target - np.linspace(0, self.config.spread, self.config.answers) * (trained.high - trained.low)
        logits = trained.logits(aims)
        archs = trained.archs(logits)
        generated, inside = problem.costs.total(trained.metric, archs), problem.feasible.contains(archs)
        for i in np.flatnonzero(~inside):
            archs[i] = problem.feasible.best([rows[i] for rows in logits]).arch
        archs = _distinct(archs)
        if "score" in problem.offers:
            rows, scores = scored(problem, archs)
            if not rows:
                raise BudgetSpent
            archs = archs[rows][problem.order(archs[rows], scores)]
        facts = {"metric": trained.metric, "requested": target, "generated": generated.tolist()}
        return Outcome(archs, {"generator": {**facts, "repaired": float((~inside).mean()), "tau": tau}})


def _target(problem: SearchProblem, trained: TrainedGenerator) -> float:
    """The most that the constraints allow: better architectures tend to cost more."""
    _, upper = windows(problem.feasible.constraints).get(trained.metric, (0.0, trained.high))
    return float(min(max(upper, trained.low), trained.high))


def _distinct(archs: Archs) -> Archs:
    """The rows (n, d) without repeats, in the order of their first places."""
    _, first = np.unique(archs, axis=0, return_index=True)
    return archs[np.sort(first)]
