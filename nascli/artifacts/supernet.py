"""`supernet.pt`: the shared weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nascli.artifacts.base import Artifact
from nascli.artifacts.torch_format import plain
from nascli.space import Space


@dataclass(frozen=True)
class TrainedSupernet:
    """`state_dict` of the supernet, `arch_parameters` of the training strategy (label → tensor), its state."""

    state_dict: Mapping[str, Any]
    arch_parameters: Mapping[str, Any] = field(default_factory=dict)
    strategy: Mapping[str, Any] = field(default_factory=dict)


class SupernetCheckpoint(Artifact[TrainedSupernet]):
    """A trained supernet (torch)."""

    kind = "supernet"
    suffix = ".pt"
    made_by = "nascli train-supernet -c CONFIG -o supernet.pt"
    contents = {
        "state_dict.NAME": "the weights of all candidates and BatchNorm's running statistics",
        "arch_parameters.LABEL": "architecture parameters of the training strategy, by decision; a mutator's by name",
        "strategy.NAME": "the training strategy's state",
    }

    @property
    def arch_shapes(self) -> dict[str, tuple[int, ...]]:
        """Architecture parameter → shape, from the header alone where it came from a file."""
        if self.path is None:
            return {name: tuple(values.shape) for name, values in self.payload.arch_parameters.items()}
        prefix = "arch_parameters."
        entries = (entry for entry in self.header.manifest if entry.name.startswith(prefix))
        return {entry.name.removeprefix(prefix): entry.shape for entry in entries}

    def pack(self, payload: TrainedSupernet) -> dict[str, Any]:
        packed: dict[str, Any] = plain(vars(payload))
        return packed

    def unpack(self, content: Mapping[str, Any], space: Space | None) -> TrainedSupernet:
        return TrainedSupernet(**content)
