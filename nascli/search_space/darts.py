"""The cell space of DARTS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from nascli.search_space.module_space import ModuleSpace

if TYPE_CHECKING:
    from torch import nn


class Darts(ModuleSpace):
    """A normal and a reduction cell of four nodes that take two inputs each (Liu et al., 2019, arXiv:1806.09055)."""

    class Config(ModuleSpace.Config):
        """Options of the DARTS space."""

        channels: int = Field(16, ge=2, multiple_of=2, description="channels of the first cells; doubled twice")
        cells: int = Field(
            8, ge=3, description="number of cells; at one and two thirds of the depth they halve the map"
        )

    config: Config

    def network(self) -> nn.Module:
        """The whole network; cells of a kind share their decisions."""
        from nascli.search_space.darts_modules import Network

        return Network(self.config.input_shape[0], self.config.classes, self.config.channels, self.config.cells)
