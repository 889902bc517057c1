"""A trained network as a teacher (knowledge distillation, Hinton et al., 2015, arXiv:1503.02531)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nascli.artifacts.base import same_data
from nascli.artifacts.model import Model
from nascli.component import Reference
from nascli.errors import ComponentError
from nascli.search_space.base import SearchSpace, realise, trained_network
from nascli.training_agent.base import Setup

if TYPE_CHECKING:
    from torch import nn


def taught_by(model: Model | None, *named: Reference | None) -> Taught | None:
    """The teacher of a model file; its space is installed, or one of those that the settings name.

    Raises:
        ComponentError: its space is another one of the user's own.
    """
    if model is None or model.header.space is None:
        return None
    record = model.header.space
    for reference in named:
        if reference is not None and (space := reference.build()).space.fingerprint == record.fingerprint:
            return Taught(model, space)
    try:
        space, _ = realise(None, {"teacher": record})
    except ComponentError as error:
        hint = f"name it: --teacher-space {'./' if record.source else ''}{record.use}"
        raise ComponentError(error.what, why=error.why, hint=hint) from None
    return Taught(model, space)


@dataclass(frozen=True)
class Taught:
    """A model and the space that it was decoded from."""

    model: Model
    space: SearchSpace

    def network(self, setup: Setup) -> nn.Module:
        """The teacher with its weights.

        Raises:
            Mismatch: it was trained on other data.
        """
        same_data(setup.dataflow.describe(), self.model.header.data, "--teacher")
        return trained_network(self.space, self.model)
