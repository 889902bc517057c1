"""Training a supernet from start to end: constraint and strategy first, then weights and data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.supernet import TrainedSupernet
from nascli.console import out
from nascli.cost.bounded import bounded
from nascli.cost.constraint import Constraint
from nascli.engine import Engine
from nascli.search_space.base import SearchSpace
from nascli.training_agent.base import Setup
from nascli.training_agent.loop import Trainer
from nascli.training_agent.memory import activation_bytes
from nascli.training_agent.panel import Panel, PanelOptions
from nascli.training_agent.searching import costs_of
from nascli.training_agent.settings import Training
from nascli.training_agent.teaching import Taught
from nascli.training_strategy.base import TrainingStrategy

MIB = 2**20


@dataclass(frozen=True)
class Plan:
    """What training a supernet is told besides how to train.

    Args:
        panel: None: not validated.
        margin: of measured costs, relative; None: what the table states.
        recompute: keep no activations of candidates, see `Supernet.recompute`.
    """

    lut: LookupTable | None = None
    constraints: Sequence[Constraint] = ()
    panel: PanelOptions | None = None
    teacher: Taught | None = None
    margin: float | None = None
    recompute: bool = False


def train_supernet(
    space: SearchSpace, strategy: TrainingStrategy, setup: Setup, options: Training, plan: Plan | None = None
) -> tuple[TrainedSupernet, dict[str, Any]]:
    """Train all architectures of a space at once.

    Raises:
        Infeasible: no architecture meets the constraints; no image was read.
        UsageError: the strategy does not fit the space, or the data do not.
    """
    plan = plan or Plan()
    feasible = bounded(costs_of(space, plan.lut), plan.constraints, plan.margin)
    strategy.setup(space.space, feasible.model, feasible)
    setup.agent.check(space, setup.dataflow)
    with Engine("cpu").seeded(setup.run.torch_seed("init")):
        module = space.supernet()
        module.recompute = plan.recompute
        strategy.bind(module)
    panel = Panel(feasible, setup, plan.panel, options.engine()) if plan.panel else None
    teacher = plan.teacher.network(setup) if plan.teacher else None
    trainer = Trainer(module, strategy, setup, options, teacher=teacher, panel=panel, outputs=space.config.classes)
    if strategy.is_mixture and not plan.recompute:
        _state_memory(trainer)
    summary = trainer.fit() | ({"margin": feasible.margins} if feasible.margins else {})
    arch = {name: parameter.detach() for name, parameter in strategy.arch_parameters().items()}
    return TrainedSupernet(trainer.result().state_dict(), arch, strategy.state_dict()), summary


def _state_memory(trainer: Trainer) -> None:
    """Say what a mixture of all candidates keeps, before it starts."""
    rng, data = trainer.run.rng("path"), trainer.setup.dataflow
    with trainer.engine.seeded(trainer.run.torch_seed("memory")):
        forward = next(trainer.strategy.updates(0, rng)).passes[0].forward
        size = activation_bytes(trainer.module, forward, data.describe().image_shape, data.config.batch_size)
    out.note(f"a mixture of all candidates keeps about {size / MIB:,.0f} MiB of activations for each batch")
