"""Generated faces: a stand-in for a data set of people, for tests and examples without a download.

They are drawn, not photographed, and say nothing about how well a network knows people.
"""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

import numpy as np
from pydantic import Field, NonNegativeInt

from nascli.dataflow.base import Augment
from nascli.dataflow.identities import Identities
from nascli.dataflow.portraits import Look, portrait
from nascli.dataflow.sampling import Indices, Pixels, stream
from nascli.dataflow.sources import Part, Source


class GeneratedAugment(Augment):
    """The pictures differ in pose, light and noise already; faces are not quite symmetric."""

    crop_padding: NonNegativeInt = 1
    flip: bool = False


class GeneratedFaces(Identities):
    """Drawn faces of identities that differ in build and colours; the pictures of one differ in pose, light and noise.

    A stand-in for real data sets: see the file's first lines.
    """

    name: ClassVar[str] = "generated_faces"

    class Config(Identities.Config):
        """Options of `generated_faces`."""

        identities: int = Field(120, ge=4, le=10_000, description="identities that are trained on or validate")
        test_identities: int = Field(40, ge=2, le=10_000, description="other identities, for the test")
        pictures: int = Field(16, ge=2, description="of each identity")
        size: int = Field(32, ge=8, description="height and width, pixels")
        seed: int = Field(0, ge=0, description="of the faces, not of the run")
        augment: GeneratedAugment = GeneratedAugment()

    config: Config

    def classes(self) -> tuple[str, ...]:
        """ "person_0", "person_1", …"""
        return tuple(f"person_{index}" for index in range(self.config.identities))

    def source(self, part: Part) -> Source | None:
        """The pictures of a part, drawn when asked for."""
        n, held = self.config.identities, self.held_out(self.config.identities)
        if part == "test":
            return Portraits(self.config, np.arange(n, n + self.config.test_identities))
        if part == "valid":
            return Portraits(self.config, held) if len(held) else None
        return Portraits(self.config, np.setdiff1d(np.arange(n), held))


class Portraits(Source):
    """`pictures` of each of some identities int64 (n,), one identity after another."""

    def __init__(self, config: GeneratedFaces.Config, identities: Indices) -> None:
        shape = (3, config.size, config.size)
        identity = f"{shape} {config.pictures} {config.seed} {identities.tolist()}"
        super().__init__(identity, shape, len(identities) * config.pictures)
        self._config, self._identities = config, identities

    @cached_property
    def labels(self) -> Indices:
        """int64 (N,)."""
        return np.repeat(self._identities, self._config.pictures)

    @cached_property
    def _looks(self) -> dict[int, Look]:
        return {}

    def read(self, index: int, view_seed: int | None = None) -> Pixels:
        """One picture, uint8 (3, H, W)."""
        person, picture = divmod(index, self._config.pictures)
        identity, seed = int(self._identities[person]), self._config.seed
        if identity not in self._looks:
            self._looks[identity] = Look.drawn(stream(seed, "look", identity))
        return portrait(self._looks[identity], self._config.size, stream(seed, "picture", identity, picture))
