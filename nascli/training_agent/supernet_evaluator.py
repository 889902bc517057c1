"""The evaluator that scores architectures with the weights of a supernet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from nascli.errors import UsageError
from nascli.search_space.randomness import own_randomness
from nascli.search_strategy.base import Score
from nascli.space import Archs
from nascli.training_agent.base import Evaluator, EvaluatorInputs


class SupernetEvaluator(Evaluator):
    """BatchNorm re-estimated on training images, then accuracy and loss on the validation split."""

    class Config(Evaluator.Config):
        """Options of scoring with a supernet."""

        calibration_images: int = Field(1024, ge=2, description="training images that re-estimate BatchNorm")
        validation_images: int | None = Field(None, ge=1, description="validation images to score on; null: all")

    config: Config
    needs_supernet = True

    def prepare(self, inputs: EvaluatorInputs) -> Mapping[str, Any]:
        """Load the weights and the images."""
        from nascli.training_agent.scoring import Replay

        if inputs.supernet is None:
            raise UsageError("the evaluator 'supernet' needs --supernet", hint="nascli train-supernet -o supernet.pt")
        self._space, self._agent = inputs.space.space, inputs.setup.agent
        self._engine = inputs.engines.engine()
        with own_randomness():
            module = inputs.space.supernet()
        module.load_state_dict(inputs.supernet.payload.state_dict)
        self._module: Any = self._engine.place(module)
        source, seed = inputs.setup.dataflow, inputs.setup.run.seed
        self._calibration = Replay(source, "train", self._engine, limit=self.config.calibration_images, seed=seed)
        self._validation = Replay(source, "valid", self._engine, limit=self.config.validation_images, seed=seed)
        return {}

    def evaluate(self, archs: Archs) -> list[Score]:
        """One forward over the calibration images and one over the validation images, per architecture."""
        return [self._evaluate(arch) for arch in archs]

    def _evaluate(self, arch: Archs) -> Score:
        from nascli.training_agent.scoring import PathView, calibrate, score

        path = PathView(self._module, self._space.forward(arch))
        calibrate(path, self._calibration, self._engine)
        return score(path, self._validation, self._agent, self._engine)
