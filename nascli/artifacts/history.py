"""`arch.history.h5`: every architecture that a search scored, in order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nascli.artifacts.base import Artifact
from nascli.artifacts.files import canonical_json
from nascli.errors import ArtifactError
from nascli.space import Archs, Space

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Trials:
    """n scored architectures.

    `archs` int64 (n, d), canonical and distinct; `accuracy` and `loss` float64 (n,), NaN for a failed one;
    `images` int64 (n,), the validation images looked at; `costs` metric → (n,); `errors` row → reason.
    """

    archs: Archs
    accuracy: npt.NDArray[np.float64]
    loss: npt.NDArray[np.float64]
    images: npt.NDArray[np.int64]
    costs: Mapping[str, npt.NDArray[Any]]
    errors: Mapping[int, str]


class History(Artifact[Trials]):
    """Every architecture that a search scored (HDF5)."""

    kind = "history"
    suffix = ".h5"
    made_by = "nascli search … -o arch.npy"
    conventions = {"accuracy": "share of validation images, 0 to 1", "loss": "mean per validation image"}
    contents = {
        "archs": "int64 (n, decisions): the architectures that were scored, in order, each once",
        "accuracy": "float64 (n,): NaN where scoring failed",
        "loss": "float64 (n,): NaN where scoring failed",
        "images": "int64 (n,): the validation images looked at",
        "costs/METRIC": "int64 or float64 (n,): the cost of each architecture",
        "errors": "uint8: JSON, row → why its scoring failed",
    }

    def pack(self, payload: Trials) -> dict[str, npt.NDArray[Any]]:
        import numpy as np

        errors = canonical_json({str(row): text for row, text in payload.errors.items()})
        columns = {name: getattr(payload, name) for name in ("archs", "accuracy", "loss", "images")}
        costs = {f"costs/{name}": values for name, values in payload.costs.items()}
        return {**columns, **costs, "errors": np.frombuffer(errors, dtype=np.uint8)}

    def unpack(self, content: Mapping[str, Any], space: Space | None) -> Trials:
        columns = {name: content[name] for name in ("archs", "accuracy", "loss", "images")}
        costs = {name.removeprefix("costs/"): values for name, values in content.items() if name.startswith("costs/")}
        if len({len(values) for values in (*columns.values(), *costs.values())}) > 1:
            raise ArtifactError(f"{self.path}: its columns differ in length")
        if space is not None and len(columns["archs"]):
            space.check(columns["archs"])
        errors = {int(row): text for row, text in json.loads(content["errors"].tobytes()).items()}
        return Trials(**columns, costs=costs, errors=errors)
