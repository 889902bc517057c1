"""Folders of images: damaged files, other colours, missing classes and parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.campaigns.fault_kit import Case

OPTIONS = (
    "--search-space tiny --set search_space.input_shape=[3,8,8] --set search_space.classes=2 "
    "--set search_space.width=4 --dataflow image_folder --set dataflow.path=images --set dataflow.size=8 "
    "--set dataflow.batch_size=4 --epochs 1 --set threads=1"
)
FAIL = f"train-supernet {OPTIONS} -o old.pt --force"
WORK = f"train-supernet {OPTIONS} -o new.pt"


def images(change: Callable[[Path], object] | None = None) -> Callable[[Path], None]:
    """Two classes of JPEG, eight for training and four for the test in each; then `change` on their folder."""

    def prepare(folder: Path) -> None:
        import numpy as np
        from PIL import Image

        rng = np.random.default_rng(0)
        for part, number in (("train", 8), ("test", 4)):
            for name in ("cat", "dog"):
                (folder / "images" / part / name).mkdir(parents=True)
                for i in range(number):
                    pixels = rng.integers(0, 255, (10, 12, 3), dtype=np.uint8)
                    Image.fromarray(pixels).save(folder / f"images/{part}/{name}/{i}.jpg")
        if change:
            change(folder / "images")

    return prepare


def saved(mode: str, name: str, **options: object) -> Callable[[Path], object]:
    """One more training image of a colour mode."""

    def change(folder: Path) -> None:
        from PIL import Image

        Image.new(mode, (9, 9)).save(folder / f"train/cat/{name}", **options)

    return change


def cut(folder: Path) -> None:
    """A JPEG that ends in its middle."""
    path = folder / "train/dog/3.jpg"
    path.write_bytes(path.read_bytes()[:300])


def scrambled(folder: Path) -> None:
    """A JPEG whose bytes are noise behind its first ones."""
    (folder / "train/dog/3.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(range(256)) * 2)


def empty_file(folder: Path) -> None:
    """A file of no bytes."""
    (folder / "train/dog/3.jpg").write_bytes(b"")


def bomb(folder: Path) -> None:
    """A PNG of some kB that declares 50,000 × 50,000 pixels."""
    import struct
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(10**6))
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    (folder / "train/dog/3.png").write_bytes(png)


def removed(*patterns: str) -> Callable[[Path], object]:
    """Files and empty folders that are gone."""

    def change(folder: Path) -> None:
        for pattern in patterns:
            for path in sorted(folder.glob(pattern), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()

    return change


def more(*names: str) -> Callable[[Path], object]:
    """Copies of an image under other names."""

    def change(folder: Path) -> None:
        raw = (folder / "train/cat/0.jpg").read_bytes()
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(raw)

    return change


BAD = {  # name → change, exit code, words
    "JPEG cut off": (cut, 5, ["3.jpg", "cannot be decoded"]),
    "JPEG scrambled": (scrambled, 5, ["3.jpg", "cannot be decoded"]),
    "zero bytes": (empty_file, 5, ["3.jpg", "0 bytes"]),
    "PNG of 2.5 gigapixels": (bomb, 5, ["3.png", "cannot be decoded"]),
    "32-bit pixels": (saved("F", "deep.tif"), 5, ["deep.tif"]),
    "empty class": (removed("train/dog/*.jpg"), 2, ["train/dog", "no pictures"]),
    "empty class in test": (removed("test/dog/*.jpg"), 2, ["test/dog", "no pictures"]),
    "one class": (removed("*/dog/*.jpg", "*/dog"), 2, ["one class folder, 'cat'"]),
    "no class": (removed("*/*/*.jpg", "*/*"), 2, ["no class folders"]),
    "no training part": (removed("train/*/*", "train/*", "train"), 2, ["no folder 'train'"]),
    "no test part": (removed("test/*/*", "test/*", "test"), 2, ["no folder 'test'"]),
    "class unlike training's": (more("test/bird/0.jpg"), 2, ["adds bird"]),
    "more classes than the space": (more("train/bird/0.jpg", "test/bird/0.jpg"), 2, ["3 classes"]),
}
GOOD = {
    "grey": saved("L", "grey.jpg"),
    "RGBA": saved("RGBA", "clear.png"),
    "palette with transparency": saved("P", "palette.png", transparency=0),
    "16-bit grey": saved("I;16", "deep.png"),
    "CMYK": saved("CMYK", "print.jpg"),
    "a name with markup and a line break": more("train/cat/[bold]a\nb.jpg"),
}

CASES = [
    *(
        Case(f"images: {name}", [FAIL, f"{FAIL} --dry-run"] if code == 2 else [FAIL], code, says, images(change))
        for name, (change, code, says) in BAD.items()
    ),
    Case("images: folder missing", [FAIL, f"{FAIL} --dry-run"], 2, ["images"]),
    Case("images: no path", [FAIL.replace("--set dataflow.path=images", "")], 2, ["dataflow.path"], images()),
    Case("images: empty split", [f"{FAIL} --set dataflow.valid_share=0.99"], 2, ["no images"], images()),
    *(Case(f"images: {name}", [WORK], 0, prepare=images(change), makes=["new.pt"]) for name, change in GOOD.items()),
]
