"""`report.mistakes.h5`: the images that a network got most wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nascli.artifacts.base import Artifact
from nascli.errors import ArtifactError
from nascli.space import Space

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Mistaken:
    """`images` uint8 (n, C, H, W), before normalisation; `places` int64 (n,): where they stand in the test split."""

    images: npt.NDArray[np.uint8]
    places: npt.NDArray[np.int64]


class Mistakes(Artifact[Mistaken]):
    """The test images that a network got most wrong (HDF5)."""

    kind = "mistakes"
    suffix = ".h5"
    made_by = "nascli evaluate … -o report.json"
    contents = {
        "images": "uint8 (n, C, H, W): before normalisation, in the order of the report's mistakes",
        "places": "int64 (n,): where each stands in the test split, from 0",
    }

    def pack(self, payload: Mistaken) -> dict[str, Any]:
        return {"images": payload.images, "places": payload.places}

    def unpack(self, content: Mapping[str, Any], space: Space | None) -> Mistaken:
        images, places = content["images"], content["places"]
        if images.ndim != 4 or images.dtype.kind != "u" or places.shape != images.shape[:1]:
            raise ArtifactError(f"{self.path}: expected images (n, C, H, W), found {images.dtype} {images.shape}")
        return Mistaken(images, places)
