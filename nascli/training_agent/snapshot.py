"""The state of a training: everything that a resumed run needs to go on as an uninterrupted one would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from nascli.training_agent.optimisation import restore_optimizer

if TYPE_CHECKING:
    from nascli.training_agent.loop import Trainer


def snapshot(trainer: Trainer) -> dict[str, Any]:
    """The state after a step."""
    strategy, updater = trainer.strategy, trainer.updater
    return {
        "module": trainer.module.state_dict(),
        "criterion": updater.criterion.state_dict(),
        "optimizers": {name: optimizer.state_dict() for name, optimizer in updater.optimizers.items()},
        "schedule": trainer.schedule.state_dict(),
        "scaler": trainer.engine.scaler.state_dict(),
        "strategy": strategy.state_dict(),
        "arch": {name: p.detach() for name, p in strategy.arch_parameters().items()},
        "streams": {name: stream.position for name, stream in trainer.streams.items()},
        "ema": None if trainer.ema is None else trainer.ema.state_dict(),
        "panel": None if trainer.panel is None else trainer.panel.state_dict(),
        "tally": trainer.tally.state_dict(),
    }


def restored(trainer: Trainer, state: Mapping[str, Any]) -> None:
    """Bring a new trainer into a state."""
    trainer.module.load_state_dict(state["module"])
    trainer.updater.criterion.load_state_dict(state["criterion"])
    for name, optimizer in trainer.updater.optimizers.items():
        restore_optimizer(optimizer, state["optimizers"][name])
    trainer.schedule.load_state_dict(state["schedule"])
    trainer.engine.scaler.load_state_dict(state["scaler"])
    trainer.strategy.load_state_dict(state["strategy"])
    with torch.no_grad():
        for name, parameter in trainer.strategy.arch_parameters().items():
            parameter.copy_(state["arch"][name])
    for name, stream in trainer.streams.items():
        stream.position = state["streams"][name]
    for part, name in ((trainer.ema, "ema"), (trainer.panel, "panel")):
        if part is not None:
            part.load_state_dict(state[name])
    trainer.tally.load_state_dict(state["tally"])
