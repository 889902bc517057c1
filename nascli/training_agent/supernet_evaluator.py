"""The evaluator that scores architectures with the weights of a supernet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from nascli.artifacts.formats import using
from nascli.config import run_option
from nascli.errors import UsageError
from nascli.search_space.randomness import own_randomness
from nascli.search_strategy.base import Need, Score
from nascli.space import Archs, Forward
from nascli.training_agent.base import Evaluator, EvaluatorInputs
from nascli.training_agent.racing import Racing

if TYPE_CHECKING:
    from torch import Tensor

    from nascli.artifacts.supernet import SupernetCheckpoint


class SupernetEvaluator(Evaluator):
    """BatchNorm re-estimated on training images, then accuracy and loss on the validation split.

    Architectures of a chain that begin alike share the work of their beginning, bit for bit as if each had been scored
    by itself. With `racing`, a population is scored together and its worst see fewer images: a score then depends on
    the population that it was asked for with, and is comparable with others but for its error.
    """

    class Config(Evaluator.Config):
        """Options of scoring with a supernet."""

        calibration_images: int = Field(1024, ge=2, description="training images that re-estimate BatchNorm")
        validation_images: int | None = Field(None, ge=1, description="validation images to score on; null: all")
        channels_last: bool = Field(True, description="memory layout of images and convolutions")
        fold: bool = Field(True, description="run convolution and BatchNorm as one once the statistics are known")
        prefix_tree: Literal["auto", "on", "off"] = run_option(
            "auto", description="share the work of common beginnings; auto: where a tenth of it or more is saved"
        )
        activations_mb: int = run_option(
            1024, ge=1, description="MiB that common beginnings may keep; one batch of one network is always granted"
        )
        racing: Racing = Racing()

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
        """Load the weights and the images; the risk of racing is a fact worth remembering."""
        import torch

        from nascli.training_agent.relaxing import Relaxed
        from nascli.training_agent.scorer import Images, Measures, Scorer
        from nascli.training_agent.scoring import Replay

        if inputs.supernet is None:
            raise UsageError("the evaluator 'supernet' needs --supernet", hint="nascli train-supernet -o supernet.pt")
        config, setup, engine = self.config, inputs.setup, inputs.engines.engine()
        with own_randomness():
            module = inputs.space.supernet()
        with using(inputs.supernet.path):
            module.load_state_dict(inputs.supernet.payload.state_dict)
        placed: Any = engine.place(module)
        layout = torch.channels_last if config.channels_last else torch.contiguous_format
        judged = config.validation_images
        if judged is None and config.racing.risk:
            judged = len(setup.dataflow.indices("valid"))
        limits = {"train": config.calibration_images, "valid": judged}
        replays = (
            Replay(setup.dataflow, split, engine, limit=limit, seed=setup.run.seed, channels_last=config.channels_last)
            for split, limit in limits.items()  # a limit brings the images into an order that is drawn
        )
        self._scorer = Scorer(
            placed.to(memory_format=layout),
            inputs.space.space,
            Images(*replays),
            setup.agent,
            engine,
            Measures(fold=config.fold, prefix_tree=config.prefix_tree, activations_mb=config.activations_mb),
            setup.run.stop_if_asked,
        )
        self._space, self._run = inputs.space.space, setup.run
        self._relaxed = Relaxed(placed, setup, engine)
        self._arch_parameters = inputs.supernet.payload.arch_parameters
        return {"racing": config.racing.model_dump()} if config.racing.risk else {}

    @property
    def compares(self) -> bool:
        """In a race."""
        return self.config.racing.risk > 0

    def groups(self, archs: Archs) -> list[list[int]]:
        """Trees of common beginnings where they save enough work, otherwise one by one; all together in a race."""
        return [list(range(len(archs)))] if self.compares else self._scorer.groups(archs)

    def arch_parameters(self) -> Mapping[str, Tensor]:
        """Those of the checkpoint that are named like a decision."""
        labels = {decision.label for decision in self._space.decisions}
        return {label: values for label, values in self._arch_parameters.items() if label in labels}

    def relaxed_loss(self, forward: Forward, call: int) -> Tensor:
        """See `Relaxed`."""
        return self._relaxed.loss(forward, call)

    def evaluate(self, archs: Archs) -> list[Score]:
        """One pass over the calibration images and one over the validation images."""
        return self._raced(archs) if self.compares else self._scored(archs)

    def _raced(self, archs: Archs) -> list[Score]:
        """The log says what was spent, of what there was."""
        scores = self._scorer.race(archs, self.config.racing)
        images = [score.images for score in scores]
        spent = {"images": sum(images), "of": len(images) * max(images)}
        self._run.log(event="race", architectures=len(images), risk=self.config.racing.risk, **spent)
        return scores

    def _scored(self, archs: Archs) -> list[Score]:
        found: dict[int, Score] = {}
        for rows in self.groups(archs):
            found |= dict(zip(rows, self._scorer.score(archs[rows]), strict=True))
        return [found[row] for row in range(len(archs))]
