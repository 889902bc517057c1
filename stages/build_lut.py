"""`nascli build-lut`: what every candidate costs."""

from __future__ import annotations

from typing import Annotated

from nascli.artifacts.lookup_table import LookupTable
from nascli.component import Kind, Reference
from nascli.config import Config, option, shared
from nascli.run import Run
from nascli.stage import stage


class BuildLutConfig(Config):
    """Settings of `build-lut`."""

    search_space: Annotated[Reference, Kind("search_space")] = shared("tiny", description="What can be searched.")
    meters: tuple[Annotated[Reference, Kind("meter")], ...] = option(
        ("macs", "params"), min_length=1, description="what is measured"
    )


@stage(
    "build-lut",
    examples=[
        "nascli build-lut -c examples/quickstart.yaml -o lut.h5",
        "nascli build-lut --search-space nasbench_macro --set 'meters=[macs, latency_ms]' -o lut.h5",
    ],
)
def build_lut(config: BuildLutConfig, run: Run, lut: LookupTable | None = None) -> LookupTable:
    """Measure what each candidate block of a search space costs, and write the lookup table.

    With --lut, its metrics come into the new table too: several devices in one file.
    """
    from nascli.cost.building import build
    from nascli.search_space.base import record_of

    space = config.search_space.build()
    record = record_of(config.search_space, space.space)
    return build(space, [meter.build() for meter in config.meters], run, record, lut)
