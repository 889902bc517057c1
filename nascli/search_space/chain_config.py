"""A chain space that is written in the YAML alone: `first`, `search`, `last` and `candidates`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import ConfigDict, Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from nascli.component import file_of
from nascli.config import Config, Origin
from nascli.search_space.chain import ChainSpace, Part
from nascli.search_space.macro import GLOBAL, Block, Macro, Stage, rows

POOL, CLASSIFIER = "global_average", "classifier"
FIRST_IN_NAME = "kernel", "kernels", "expansion"


class BlockConfig(Config):
    """A block: its operation, its name, and the operation's options beside them."""

    model_config = ConfigDict(extra="allow")

    op: str = Field(description="an operation, or one of your own: ./file.py:function")
    name: str | None = Field(None, pattern=r"^\w[\w-]*$", description="by default the operation and its options")

    @field_validator("op")
    @classmethod
    def _allowed(cls, op: str, info: ValidationInfo) -> str:
        origin = info.context
        if ":" in op and origin == Origin():
            raise ValueError("files of others never make nascli import code; name the search space in your settings")
        file = file_of(op, origin.base if isinstance(origin, Origin) else Path())
        if file is not None and not file.exists():
            raise ValueError(f"there is no file {file}")
        return op

    @property
    def options(self) -> Mapping[str, Any]:
        """What the operation is built with."""
        return self.model_extra or {}

    @property
    def block(self) -> Block:
        """The block, with a name."""
        return Block(self.name or _name(self.op, self.options), self.op, self.options)


class FixedConfig(BlockConfig):
    """A block of the first or the last part."""

    out: int | None = Field(None, ge=1, description="output channels; by default as many as come in")
    stride: int = Field(1, ge=1)


class RowConfig(Config):
    """Searched layers in a row."""

    out: int = Field(ge=1, description="output channels of each layer")
    stride: int = Field(1, ge=1, description="stride of the first of them")
    repeat: int = Field(1, ge=1, description="number of layers")


class DeclaredChain(ChainSpace):
    """A chain that the YAML declares: its fixed parts, the searched layers, the candidates of every layer."""

    class Config(ChainSpace.Config):
        """The structure, and the candidates of every searched layer."""

        first: tuple[FixedConfig, ...] = Field(
            (), description="fixed blocks before the search: {op: conv, out: 16, kernel: 3}"
        )
        search: tuple[RowConfig, ...] = Field(
            min_length=1, description="searched layers: {out: 24, stride: 2, repeat: 4}"
        )
        last: tuple[FixedConfig, ...] = Field(
            (),
            description="fixed blocks after the search; global_average and classifier follow unless named",
        )
        candidates: tuple[BlockConfig, ...] = Field(
            min_length=1, description="candidate blocks: {op: mobile, kernel: 3, expansion: 6}; nascli list block"
        )
        _origin: Origin = PrivateAttr(Origin())

        @model_validator(mode="after")
        def _remember(self, info: ValidationInfo) -> Self:
            if isinstance(info.context, Origin):
                self._origin = info.context
            return self

        @field_validator("candidates")
        @classmethod
        def _distinct(cls, candidates: tuple[BlockConfig, ...]) -> tuple[BlockConfig, ...]:
            names = [candidate.block.name for candidate in candidates]
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"two candidates are called '{name}'; give each a name")
            return candidates

        @property
        def origin(self) -> Origin:
            """Where the options are written."""
            return self._origin

    config: Config

    @property
    def folder(self) -> Path:
        """File references start at the folder of the YAML."""
        return self.config.origin.base

    def macro_cfg(self) -> Macro:
        """What the YAML says; the number of channels follows from part to part."""
        channels = self.config.input_shape[0]
        first = tuple(self._stages(self.config.first, channels))
        channels = first[-1].out_channels if first else channels
        search = rows(channels, [(row.out, row.repeat, row.stride) for row in self.config.search])
        return Macro(first, search, tuple(self._stages(_completed(self.config.last), search[-1].out_channels)))

    def _stages(self, written: Iterable[FixedConfig], channels: int) -> Iterator[Stage]:
        for fixed in written:
            out = fixed.out or (self.config.classes if fixed.op == CLASSIFIER else channels)
            yield Stage(fixed.block, channels, out, fixed.stride)
            channels = out

    def micro_cfg(self) -> tuple[Block, ...]:
        """The candidates of the YAML."""
        return tuple(candidate.block for candidate in self.config.candidates)

    def where(self, part: Part, index: int, candidate: int | None = None) -> str:
        """The place, behind the line of the YAML that says so."""
        written = self._written(part, index) if candidate is None else ("candidates", candidate, "op")
        place, name = self.config.origin.of(written), super().where(part, index, candidate)
        return f"{place}: {name}" if place else name

    def _written(self, part: Part, index: int) -> tuple[str, int, str]:
        if part != "search":
            return part, index, "op"
        owners = [i for i, row in enumerate(self.config.search) for _ in range(row.repeat)]
        return part, owners[index], "out"


def _completed(last: tuple[FixedConfig, ...]) -> tuple[FixedConfig, ...]:
    """The last part with pooling and the classifier at its end, unless it ends in a classifier of its own."""
    if last and last[-1].op == CLASSIFIER:
        return last
    pooled = any(fixed.op in GLOBAL for fixed in last)
    return (*last, *(FixedConfig(op=op) for op in (POOL, CLASSIFIER)[pooled:]))


def _name(op: str, options: Mapping[str, Any]) -> str:
    """Such as "mobile_k3_e6_se", in whatever order the options are written: files keep none."""
    keys = [*(key for key in FIRST_IN_NAME if key in options), *sorted(options.keys() - set(FIRST_IN_NAME))]
    words = [key if options[key] is True else f"{key[0]}{options[key]}" for key in keys if options[key] is not False]
    return re.sub(r"[\W_]+", "_", "_".join([op.rpartition(":")[2], *words])).strip("_")
