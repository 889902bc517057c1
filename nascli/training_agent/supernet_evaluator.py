"""The evaluator that scores architectures with the weights of a supernet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from nascli.errors import UsageError
from nascli.search_strategy.base import Need, Score
from nascli.space import Archs, Forward
from nascli.training_agent.base import Evaluator, EvaluatorInputs

if TYPE_CHECKING:
    from torch import Tensor

    from nascli.artifacts.supernet import SupernetCheckpoint


class SupernetEvaluator(Evaluator):
    """BatchNorm re-estimated on training images, then accuracy and loss on the validation split."""

    class Config(Evaluator.Config):
        """Options of scoring with a supernet."""

        calibration_images: int = Field(1024, ge=2, description="training images that re-estimate BatchNorm")
        validation_images: int | None = Field(None, ge=1, description="validation images to score on; null: all")

    config: Config
    offers = frozenset({"score", "gradient"})
    needs_supernet = True

    @classmethod
    def offered(cls, supernet: SupernetCheckpoint | None) -> frozenset[Need]:
        """Architecture parameters too, where every decision has some in the checkpoint."""
        if supernet is None:
            return cls.offers
        shapes = supernet.arch_shapes
        decisions = supernet.header.space.space().decisions if supernet.header.space else ()
        has_all = bool(decisions) and all(shapes.get(d.label) == (d.size,) for d in decisions)
        return cls.offers | {"arch_parameters"} if has_all else cls.offers

    def prepare(self, inputs: EvaluatorInputs) -> Mapping[str, Any]:
        """Load the weights and the images."""
        from nascli.training_agent.relaxing import Relaxed
        from nascli.training_agent.scoring import Replay

        if inputs.supernet is None:
            raise UsageError("the evaluator 'supernet' needs --supernet", hint="nascli train-supernet -o supernet.pt")
        self._space, self._agent = inputs.space.space, inputs.setup.agent
        self._engine = inputs.engines.engine()
        module = inputs.space.supernet()
        module.load_state_dict(inputs.supernet.payload.state_dict)
        self._module: Any = self._engine.place(module)
        source, seed = inputs.setup.dataflow, inputs.setup.run.seed
        self._calibration = Replay(source, "train", self._engine, limit=self.config.calibration_images, seed=seed)
        self._validation = Replay(source, "valid", self._engine, limit=self.config.validation_images, seed=seed)
        self._relaxed = Relaxed(self._module, inputs.setup, self._engine)
        self._arch_parameters = inputs.supernet.payload.arch_parameters
        return {}

    def arch_parameters(self) -> Mapping[str, Tensor]:
        """Those of the checkpoint that are named like a decision."""
        labels = {decision.label for decision in self._space.decisions}
        return {label: values for label, values in self._arch_parameters.items() if label in labels}

    def relaxed_loss(self, forward: Forward, call: int) -> Tensor:
        """See `Relaxed`."""
        return self._relaxed.loss(forward, call)

    def evaluate(self, archs: Archs) -> list[Score]:
        """One forward over the calibration images and one over the validation images, per architecture."""
        return [self._evaluate(arch) for arch in archs]

    def _evaluate(self, arch: Archs) -> Score:
        from nascli.training_agent.scoring import PathView, calibrate, score

        path = PathView(self._module, self._space.forward(arch))
        calibrate(path, self._calibration, self._engine)
        return score(path, self._validation, self._agent, self._engine)
