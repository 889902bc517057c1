"""The evaluator that trains each architecture for a short time, as a network of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any

from pydantic import Field

from nascli.component import Kind, Reference
from nascli.config import option
from nascli.console import Bar
from nascli.errors import RunFailed
from nascli.run import Run
from nascli.search_space.randomness import own_randomness
from nascli.search_strategy.base import Score
from nascli.space import Archs, compact
from nascli.training_agent.base import Evaluator, EvaluatorInputs, Setup
from nascli.training_agent.settings import Engines, Recipe, Training


class TrainEvaluator(Evaluator):
    """Multi-trial search: fresh weights, a few epochs on the training split, then the validation split; no supernet.

    Weights, order and augmentation are seeded by the run's seed and the architecture, so that a score is the same
    whenever it is asked for.
    """

    class Config(Recipe, Evaluator.Config):
        """Options of training each architecture."""

        criterion: Annotated[Reference, Kind("criterion")] = option("cross_entropy", description="The loss.")
        epochs: int = Field(5, ge=1, description="how many times each architecture sees the training images")
        validation_images: int | None = Field(None, ge=1, description="validation images to score on; null: all")

    config: Config
    needs_data = True

    def prepare(self, inputs: EvaluatorInputs) -> Mapping[str, Any]:
        """Look at the data; nothing is trained yet."""
        from nascli.training_agent.scoring import Replay

        inputs.setup.agent.check(inputs.space, inputs.setup.dataflow)
        self._inputs, recipe = inputs, {name: getattr(self.config, name) for name in Recipe.model_fields}
        where = {name: getattr(inputs.engines, name) for name in Engines.model_fields}
        self._training = Training(**recipe, **where)
        self._engine = inputs.engines.engine()
        limit, seed = self.config.validation_images, inputs.setup.run.seed
        self._validation = Replay(inputs.setup.dataflow, "valid", self._engine, limit=limit, seed=seed)
        return {}

    def evaluate(self, archs: Archs) -> list[Score]:
        """One training an architecture; what goes wrong in it is the score's error.

        Raises:
            Interrupted: the search was asked to stop; the training that ran is lost.
        """
        return [self._evaluate(arch) for arch in archs]

    def _evaluate(self, arch: Archs) -> Score:
        from nascli.training_agent.jobs import retrain
        from nascli.training_agent.scoring import score

        space, given = self._inputs.space, self._inputs.setup
        trial = Setup(given.agent, given.dataflow, Trial(given.run, arch))
        try:
            trained, _ = retrain(space, arch.tolist(), trial, self._training, splits=("train",))
            with own_randomness():
                network = space.model(trained.arch)
            network.load_state_dict(trained.state_dict)
            return score(self._engine.place(network), self._validation, given.agent, self._engine)
        except (RunFailed, RuntimeError) as error:  # the latter: out of memory, a block that fails
            why = str(error).partition("\n")[0][:200]
            return Score(float("nan"), float("nan"), 0, why or type(error).__name__)


class Trial(Run):
    """The training of one architecture within a search: it says nothing and keeps nothing."""

    def __init__(self, search: Run, arch: Archs) -> None:
        digest = hashlib.sha256(f"{search.seed} {compact(arch)}".encode()).digest()
        super().__init__(search.path, seed=int.from_bytes(digest[:4], "big"))
        self._search = search

    def log(self, **fields: Any) -> None:
        """Not kept."""

    def restore(self, kind: Any) -> None:
        """Nothing to go on from."""

    def progress(self, what: str, total: int, start: int = 0) -> AbstractContextManager[Bar]:
        """No bar: the search has one."""
        return nullcontext(Bar(what, total, start, lambda text: None))

    def checkpoint_due(self, minutes: float) -> bool:
        """Never; the search may have been asked to stop meanwhile."""
        self._search.stop_if_asked()
        return False
