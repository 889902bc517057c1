"""Handwritten digits, 8x8 grey, which come with nascli: the default data set, no download and no path."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import NonNegativeInt

from nascli.dataflow.base import Augment, Dataflow
from nascli.dataflow.sampling import Indices, Pixels
from nascli.dataflow.sources import ArraySource, Part

ARCHIVE = Path(__file__).parent / "data" / "digits.npz"
SIZES = {"train": 1437, "test": 360}


class DigitsAugment(Augment):
    """Digits are small, and none may be mirrored."""

    crop_padding: NonNegativeInt = 1
    flip: bool = False


class Digits(Dataflow):
    """Optical Recognition of Handwritten Digits (Alpaydin and Kaynak 1998): 1,437 training and 360 test images.

    Pixels are the original 0..16 times 15, so 0..240. The test part is a fixed stratified fifth.
    """

    name: ClassVar[str] = "digits"

    class Config(Dataflow.Config):
        """Options of `digits`."""

        augment: DigitsAugment = DigitsAugment()

    config: Config

    def classes(self) -> tuple[str, ...]:
        """ "0" to "9"."""
        return tuple("0123456789")

    def source(self, part: Part) -> ArraySource | None:
        """The part as it lies in the package; there is no validation part."""
        if part == "valid":
            return None
        return ArraySource(_identity(part), (1, 8, 8), SIZES[part], lambda: _load(part))


def _identity(part: Part) -> str:
    # The archive's directory holds checksums of its members: the pixels need not be read.
    with zipfile.ZipFile(ARCHIVE) as archive:
        checksums = {info.filename: info.CRC for info in archive.infolist()}
    return f"{checksums[f'{part}_images.npy']:08x} {checksums[f'{part}_labels.npy']:08x}"


def _load(part: Part) -> tuple[Pixels, Indices]:
    with np.load(ARCHIVE, allow_pickle=False) as arrays:
        return arrays[f"{part}_images"] * np.uint8(15), arrays[f"{part}_labels"].astype(np.int64)
