"""`model.pt`: a retrained network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nascli.artifacts.base import Artifact
from nascli.artifacts.torch_format import plain
from nascli.errors import ArtifactError
from nascli.space import Space


@dataclass(frozen=True)
class TrainedModel:
    """The architecture, one index per decision, and the `state_dict` of the decoded network."""

    arch: tuple[int, ...]
    state_dict: Mapping[str, Any]


class Model(Artifact[TrainedModel]):
    """A retrained network (torch)."""

    kind = "model"
    suffix = ".pt"
    made_by = "nascli retrain -c CONFIG --arch arch.npy -o model.pt"
    contents = {
        "arch": "list: the index of the chosen candidate of each decision",
        "state_dict.NAME": "the weights of the decoded network and BatchNorm's running statistics",
    }

    def pack(self, payload: TrainedModel) -> dict[str, Any]:
        packed: dict[str, Any] = plain(vars(payload))
        return packed

    def unpack(self, content: Mapping[str, Any], space: Space | None) -> TrainedModel:
        arch = content.get("arch")
        if not isinstance(arch, list) or (space is not None and len(arch) != len(space.decisions)):
            raise ArtifactError(f"{self.path}: its architecture does not fit its search space")
        checked = space.check(arch)[0].tolist() if space is not None else arch
        return TrainedModel(tuple(checked), content["state_dict"])
