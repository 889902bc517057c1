"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009), as torchvision stores them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from urllib.error import URLError

import numpy as np
from pydantic import Field

from nascli.dataflow.base import RUN_OPTION, Dataflow
from nascli.dataflow.sampling import Indices, Pixels
from nascli.dataflow.sources import ArraySource, Part
from nascli.errors import ConfigError, RunFailed


class _Cifar(Dataflow):
    torchvision_name: ClassVar[str]
    folder: ClassVar[str]
    sizes: ClassVar[dict[Part, int]] = {"train": 50_000, "test": 10_000}

    class Config(Dataflow.Config):
        """Options of `cifar10` and `cifar100`; a relative path starts at the working folder."""

        path: Path = Field(Path("data"), description="where the data set lies", json_schema_extra=RUN_OPTION)
        download: bool = Field(False, description="fetch it if it is not there", json_schema_extra=RUN_OPTION)

    config: Config

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        self._read: dict[Part, tuple[Pixels, Indices]] = {}
        self._classes: tuple[str, ...] = ()

    def classes(self) -> tuple[str, ...]:
        """Names of the classes, as the data set's own file gives them."""
        self._load("train")
        return self._classes

    def source(self, part: Part) -> ArraySource | None:
        """The 50,000 training or 10,000 test images, 3x32x32; there is no validation part.

        Raises:
            ConfigError: the data set is not at `path`.
        """
        if part == "valid":
            return None
        self._check_path()
        # torchvision checks the files against known digests, so the name is the identity.
        return ArraySource(f"{self.name}/{part}", (3, 32, 32), self.sizes[part], partial(self._load, part))

    def _load(self, part: Part) -> tuple[Pixels, Indices]:
        if part not in self._read:
            data = self._open(part)
            self._read[part] = np.ascontiguousarray(data.data.transpose(0, 3, 1, 2)), np.array(data.targets, np.int64)
            self._classes = tuple(data.classes)
        return self._read[part]

    def _open(self, part: Part) -> Any:
        self._check_path()
        from torchvision import datasets

        path, cls = self.config.path.expanduser(), getattr(datasets, self.torchvision_name)
        try:
            return cls(path, train=part == "train", download=self.config.download)
        except (URLError, OSError) as error:
            raise RunFailed(f"{self.name} could not be read or fetched", why=str(error)) from None
        except RuntimeError:
            hint = f"remove {path / self.folder}, then: --set dataflow.download=true"
            raise RunFailed(f"the files in {path / self.folder} are damaged", hint=hint) from None

    def _check_path(self) -> None:
        folder = self.config.path.expanduser() / self.folder
        if not self.config.download and not folder.is_dir():
            raise ConfigError(
                f"dataflow.path: there is no {folder}",
                why=f"{self.name} is looked for there; relative paths start at {Path.cwd()}",
                hint="fetch it: --set dataflow.download=true (in the YAML, dataflow: {use: … , download: true})",
            )


class Cifar10(_Cifar):
    """CIFAR-10: 32x32 colour, 10 classes, 50,000 training and 10,000 test images."""

    name: ClassVar[str] = "cifar10"
    torchvision_name: ClassVar[str] = "CIFAR10"
    folder: ClassVar[str] = "cifar-10-batches-py"


class Cifar100(_Cifar):
    """CIFAR-100: 32x32 colour, 100 classes, 50,000 training and 10,000 test images."""

    name: ClassVar[str] = "cifar100"
    torchvision_name: ClassVar[str] = "CIFAR100"
    folder: ClassVar[str] = "cifar-100-python"
