"""The cell space of NAS-Bench-201."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from nascli.search_space.module_space import ModuleSpace

if TYPE_CHECKING:
    from torch import nn


class NasBench201(ModuleSpace):
    """A cell of six edges with five operations, repeated in three stages (Dong and Yang, 2020, arXiv:2001.00326)."""

    class Config(ModuleSpace.Config):
        """Options of NAS-Bench-201."""

        channels: int = Field(16, ge=1, description="channels of the first stage; each later stage has twice as many")
        cells: int = Field(5, ge=1, description="cells in each of the three stages")

    config: Config

    def network(self) -> nn.Module:
        """The whole network; equal edges of all cells are one decision."""
        from nascli.search_space.nasbench201_modules import Network

        return Network(self.config.input_shape[0], self.config.classes, self.config.channels, self.config.cells)
