"""Pictures in files: decoding, resizing, random views, and the `Source` made of them."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError

from nascli.dataflow.files import Tree
from nascli.dataflow.sampling import Indices, Pixels
from nascli.dataflow.sources import Source
from nascli.errors import ConfigError, RunFailed

THREADED_BYTES = 16_384


@dataclass(frozen=True)
class Format:
    """What every picture is turned into.

    Args:
        shape: (channels, height, width), with 1 or 3 channels.
        resize: whether pictures are resized and cropped to `shape`; if not, they must have it.
        example: the picture that `shape` was taken from, for the message about one that differs.
    """

    shape: tuple[int, int, int]
    resize: bool
    example: str


class PictureFiles(Source):
    """Pictures of a folder or an archive.

    Args:
        identity: see `Source`.
        tree: where the files lie.
        names: of the files, N of them.
        labels: int64 (N,).
        format: what they are turned into.
        random_views: in training, a random part of the picture resized to the shape (Szegedy et al. 2015).
    """

    def __init__(
        self, identity: str, tree: Tree, names: Sequence[str], labels: Indices, format: Format, *, random_views: bool
    ) -> None:
        super().__init__(identity, format.shape, len(names), random_views=random_views)
        self._tree, self._names, self._labels, self._format = tree, names, labels, format

    @property
    def labels(self) -> Indices:
        """int64 (N,)."""
        return self._labels

    def read(self, index: int, view_seed: int | None = None) -> Pixels:
        """One picture, uint8 (C, H, W).

        Raises:
            RunFailed: it cannot be decoded.
            ConfigError: it has another size, and no size to bring it to is given.
        """
        picture, where = open_picture(self._tree, self._names[index]), self._tree.where(self._names[index])
        picture = as_channels(picture, self.image_shape[0], where)
        if self._format.resize:
            seed = view_seed if self.random_views else None
            picture = centre(picture, self.image_shape[1]) if seed is None else view(picture, self.image_shape[1], seed)
        pixels = np.asarray(picture)
        pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
        if pixels.shape != self.image_shape:
            raise _other_size(where, pixels.shape, self._format)
        return pixels

    def load(self) -> Pixels:
        """All pictures, uint8 (N, C, H, W)."""
        mean_bytes = sum(self._tree.files[name].size for name in self._names) / len(self)
        if mean_bytes < THREADED_BYTES:  # small files spend their time in Python, which threads only slow down
            return super().load()
        images = np.empty((len(self), *self.image_shape), np.uint8)
        with ThreadPoolExecutor() as pool:
            for index, image in enumerate(pool.map(self.read, range(len(self)))):
                images[index] = image
        return images


def open_picture(tree: Tree, name: str) -> Image.Image:
    """Read and decode a file.

    Raises:
        RunFailed: empty, damaged, cut off, or no picture.
    """
    raw = tree.read(name)
    if not raw:
        raise RunFailed(f"{tree.where(name)} is empty (0 bytes)", hint="remove it or restore it")
    try:
        picture = Image.open(io.BytesIO(raw))
        picture.load()
    except Exception as error:  # decoders raise whatever foreign bytes lead them to
        why = str(error) if not isinstance(error, UnidentifiedImageError) else "no known picture format"
        raise RunFailed(f"{tree.where(name)} cannot be decoded", why=why, hint="remove it or restore it") from None
    return picture


def as_channels(picture: Image.Image, channels: int, where: str) -> Image.Image:
    """Grey or RGB with 8 bits; transparency is dropped, 16-bit grey loses its low byte.

    Raises:
        RunFailed: pixels of another type (32-bit integers, floats, colours outside RGB, CMYK and the like).
    """
    if picture.mode.startswith("I;16"):
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.mode in ("I", "F"):
        raise RunFailed(f"{where} has 32-bit pixels", why="which value is black and which is white is not known")
    if "transparency" in picture.info:
        picture = picture.convert("RGBA")
    try:
        return picture.convert("RGB" if channels == 3 else "L")
    except ValueError as error:
        raise RunFailed(f"{where} cannot be converted to {channels} channels", why=str(error)) from None


def centre(picture: Image.Image, size: int) -> Image.Image:
    """Bring the shorter side to `size` and cut the central square."""
    short = min(picture.size)
    left, top = ((side - short) / 2 for side in picture.size)
    return _cut(picture, (left, top, left + short, top + short), size)


def view(picture: Image.Image, size: int, seed: int) -> Image.Image:
    """A random rectangle of 8 to 100 % of the area and an aspect from 3:4 to 4:3, brought to `size` squared.

    Ten tries; a picture too narrow for all of them gives its central square.
    """
    rng = np.random.default_rng(seed)
    width, height = picture.size
    for _ in range(10):
        area = width * height * rng.uniform(0.08, 1.0)
        aspect = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
        wide, high = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < wide <= width and 0 < high <= height:
            left, top = int(rng.integers(width - wide + 1)), int(rng.integers(height - high + 1))
            return _cut(picture, (left, top, left + wide, top + high), size)
    return centre(picture, size)


def _cut(picture: Image.Image, box: tuple[float, float, float, float], size: int) -> Image.Image:
    return picture.resize((size, size), Image.Resampling.BILINEAR, box=box)


def _other_size(where: str, shape: tuple[int, ...], format: Format) -> ConfigError:
    _, height, width = format.shape
    return ConfigError(
        f"pictures of different sizes: {format.example} is {width}x{height}, {where} is {shape[2]}x{shape[1]}",
        hint="give the size to bring them to, for example: --set dataflow.size=32",
    )
