"""`manifest.json`: the blocks of a search space as another machine gets them, to measure them there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nascli import __version__
from nascli.artifacts.header import SpaceRecord
from nascli.errors import ArtifactError

NAME = "manifest.json"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class ModelFile(_Part):
    """An ONNX model from "x" (batch, …) to "y"."""

    file: str = Field(description="its path from the folder of the manifest")
    sha256: str = Field(description="of the file")


class BlockPlace(_Part):
    """Where a block stands."""

    decisions: tuple[str, ...] = Field(description="labels of decisions; fixed: in every architecture")
    candidates: tuple[str, ...] = Field(description="what they must choose for the block to be there")
    times: int = Field(description="how often it is there")


class BlockOperation(_Part):
    """What a block is."""

    op: str = Field(description="name of the operation")
    options: dict[str, Any] = Field(description="its options, such as kernel and expansion")
    out_channels: int = Field(description="channels that it makes")
    stride: int = Field(description="by which it divides height and width")


class BlockEntry(_Part):
    """One distinct block."""

    id: str = Field(description="what a measurement names")
    name: str = Field(description="for people")
    input_shape: tuple[int, ...] = Field(description="channels, height, width")
    operation: BlockOperation | None = Field(description="what it is, where the space knows it as data")
    model: ModelFile | None = Field(description="null where no model was written")
    places: tuple[BlockPlace, ...] = Field(description="where it stands")


class NetworkEntry(_Part):
    """One whole network, to correct and to judge the table with."""

    architecture: tuple[int, ...] = Field(description="index of each decision; what a measurement names")
    model: ModelFile | None = Field(description="null where no model was written")


class Manifest(_Part):
    """The distinct blocks of a search space."""

    format: Literal["nascli.blocks/1"] = Field(default="nascli.blocks/1", description="always this")
    nascli_version: str = Field(default=__version__, description="the nascli that wrote it")
    space: SpaceRecord = Field(description="the search space, with its fingerprint")
    batch: int = Field(ge=1, description="images a forward, fixed in the models")
    fold_bn: bool = Field(description="whether BatchNorm is part of the convolution before it")
    blocks: tuple[BlockEntry, ...] = Field(description="each distinct block once")
    empty: ModelFile | None = Field(
        default=None,
        description="a model that does nothing, from (1, 1, 1, 1): what the runtime takes by itself, to be subtracted "
        "from each block, not from networks; null where no model was written",
    )
    networks: tuple[NetworkEntry, ...] = Field(default=(), description="whole networks over the whole range of costs")

    def text(self) -> str:
        """As JSON."""
        return self.model_dump_json(indent=1) + "\n"

    @classmethod
    def beside(cls, file: Path) -> Manifest | None:
        """That in the folder of a file; None where there is none, or something else of that name.

        Raises:
            ArtifactError: a manifest of blocks that cannot be read.
        """
        path = file.with_name(NAME)
        try:
            found = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        ours = isinstance(found, dict) and str(found.get("format")).startswith("nascli.blocks/")
        return cls.read(path) if ours else None

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read it back.

        Raises:
            ArtifactError: missing, or no manifest of blocks.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ArtifactError(f"cannot read {path}", why=error.strerror or str(error)) from None
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "JSON"
            hint = f"make one: nascli export-blocks --search-space NAME -o FOLDER; it is FOLDER/{NAME}"
            raise ArtifactError(
                f"{path} is no manifest of blocks", why=f"{place}: {first['msg']}"[:200], hint=hint
            ) from None
