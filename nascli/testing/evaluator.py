"""What every evaluator keeps."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nascli.cost.feasible import FeasibleSet
from nascli.cost.model import CostModel
from nascli.dataflow.base import Dataflow
from nascli.dataflow.synthetic import Synthetic
from nascli.run import Run
from nascli.search_space.base import SearchSpace
from nascli.search_space.tiny import Tiny
from nascli.search_strategy.base import Score
from nascli.space import Archs
from nascli.testing.randomness import no_global_randomness, seeded
from nascli.training_agent.base import Evaluator, EvaluatorInputs, Setup, TrainingAgent
from nascli.training_agent.classification import Classification
from nascli.training_agent.settings import Engines

SHAPE, CLASSES = (1, 8, 8), 4


class EvaluatorContract:
    """Tests to inherit; `make = MyEvaluator`, or a method that returns a quick one, is all they need.

    `space`, `dataflow` and `agent` are what architectures are scored with; override them for other tasks.
    """

    archs = 3

    def make(self) -> Evaluator:
        """A new evaluator; called several times a test."""
        raise NotImplementedError("set `make` to the class of the evaluator")

    def space(self) -> SearchSpace:
        """A small search space."""
        return Tiny(Tiny.Config(input_shape=SHAPE, classes=CLASSES, width=4))

    def dataflow(self) -> Dataflow:
        """Few images."""
        sizes = Synthetic.Config(classes=CLASSES, image_shape=SHAPE, train_images=48, test_images=8, batch_size=16)
        return Synthetic(sizes)

    def agent(self) -> TrainingAgent:
        """The task."""
        return Classification()

    def ready(self) -> tuple[Evaluator, Archs, Mapping[str, Any]]:
        """A new evaluator that is prepared, architectures to score, and what preparing told."""
        space, evaluator = self.space(), self.make()
        with tempfile.TemporaryDirectory() as folder:
            setup = Setup(self.agent(), self.dataflow(), Run(Path(folder) / "arch.npy", seed=1))
            supernet = _supernet(space) if evaluator.needs_supernet else None
            facts = evaluator.prepare(EvaluatorInputs(space, setup, Engines(accelerator="cpu"), supernet))
        archs = FeasibleSet(CostModel(space.space, {})).sample(self.archs, np.random.default_rng(0))
        return evaluator, space.space.canonical(archs), facts

    def test_every_architecture_has_a_score(self) -> None:
        evaluator, archs, _ = self.ready()
        groups = evaluator.groups(archs)
        positions = sorted(i for group in groups for i in group)
        assert positions == list(range(len(archs))), f"`groups` has the positions {positions}"
        for group in groups:
            scores = evaluator.evaluate(archs[group])
            assert len(scores) == len(group), f"{len(group)} architectures have {len(scores)} scores"
            for score in scores:
                check_score(score)

    def test_a_score_does_not_hang_on_what_was_scored_before(self) -> None:
        first, archs, _ = self.ready()
        second, _, _ = self.ready()
        found = [first.evaluate(archs[i : i + 1])[0] for i in range(len(archs))]
        again = [second.evaluate(archs[i : i + 1])[0] for i in reversed(range(len(archs)))][::-1]
        assert repr(found) == repr(again), "in another order, architectures have other scores"

    def test_it_leaves_the_global_random_states_alone(self) -> None:
        with no_global_randomness():
            evaluator, archs, _ = self.ready()
            evaluator.evaluate(archs[:1])

    def test_what_it_tells_of_itself_is_plain_json(self) -> None:
        json.dumps(dict(self.ready()[2]), allow_nan=False)


def check_score(score: Score) -> None:
    """Raises AssertionError unless a score, or the reason why there is none, can be used."""
    assert isinstance(score, Score), f"a score is a Score, found {type(score).__name__}"
    if score.error is None:
        assert 0 <= score.accuracy <= 1, f"the accuracy {score.accuracy} does not lie in 0 to 1"
        assert np.isfinite(score.loss), f"the loss is {score.loss}, and there is no error"


def _supernet(space: SearchSpace) -> Any:
    """An artifact with fresh weights."""
    from nascli.artifacts.supernet import SupernetCheckpoint, TrainedSupernet

    return SupernetCheckpoint(TrainedSupernet(seeded(space.supernet).state_dict(), {}, {}))
