from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nascli.dataflow.files import open_tree
from nascli.dataflow.images import Format, PictureFiles, as_channels, centre, view
from nascli.errors import ConfigError, RunFailed

from .helpers import write_pictures


def test_a_colour_picture_keeps_its_pixels(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array_equal(_files(tmp_path, "a.png", (3, 5, 6)).read(0), pixels.transpose(2, 0, 1))


def test_a_grey_picture_becomes_three_equal_channels(tmp_path: Path) -> None:
    Image.fromarray(np.arange(30, dtype=np.uint8).reshape(5, 6)).save(tmp_path / "a.png")
    image = _files(tmp_path, "a.png", (3, 5, 6)).read(0)
    assert np.array_equal(image, np.tile(np.arange(30).reshape(1, 5, 6), (3, 1, 1)))


def test_a_colour_picture_becomes_grey(tmp_path: Path) -> None:
    Image.new("RGB", (6, 5), (255, 255, 255)).save(tmp_path / "a.png")
    assert (_files(tmp_path, "a.png", (1, 5, 6)).read(0) == 255).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1", "CMYK"])
def test_other_modes_become_rgb(mode: str) -> None:
    assert as_channels(Image.new(mode, (4, 4)), 3, "x").mode == "RGB"


def test_transparency_is_dropped() -> None:
    picture = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    assert as_channels(picture, 3, "x").getpixel((0, 0)) == (10, 20, 30)


def test_a_palette_with_transparency_becomes_rgb_without_a_warning() -> None:
    picture = Image.new("P", (4, 4))
    picture.putpalette([1, 2, 3, 4, 5, 6])
    picture.info["transparency"] = b"\x00\xff"
    assert as_channels(picture, 3, "x").getpixel((0, 0)) == (1, 2, 3)


def test_colours_that_cannot_be_converted_are_refused() -> None:
    with pytest.raises(RunFailed, match="converted to 1 channels"):
        as_channels(Image.new("LAB", (4, 4)), 1, "some.png")


def test_16_bit_grey_keeps_its_high_byte() -> None:
    picture = Image.fromarray(np.full((4, 4), 0x8040, np.uint16))
    assert as_channels(picture, 1, "x").getpixel((0, 0)) == 0x80


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_without_a_known_range_are_refused(mode: str) -> None:
    with pytest.raises(RunFailed, match=r"some\.png"):
        as_channels(Image.new(mode, (4, 4)), 3, "some.png")


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "0 bytes"), (b"no picture", "no known picture format"), ("cut", "truncated"), ("changed", "broken")],
)
def test_an_unreadable_file_fails_by_name(tmp_path: Path, content: bytes | str, why: str) -> None:
    whole = _png()
    cases = {"cut": whole[: len(whole) // 2], "changed": whole[:60] + b"xx" + whole[62:]}
    (tmp_path / "bad.png").write_bytes(cases[content] if isinstance(content, str) else content)
    with pytest.raises(RunFailed, match=rf"(?s)bad\.png.*{why}"):
        _files(tmp_path, "bad.png", (3, 64, 64)).read(0)


def test_a_cut_jpeg_fails_by_name(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(buffer, "JPEG")
    (tmp_path / "bad.jpg").write_bytes(buffer.getvalue()[:-200])
    with pytest.raises(RunFailed, match=r"bad\.jpg"):
        _files(tmp_path, "bad.jpg", (1, 64, 64)).read(0)


def test_another_size_is_refused_naming_both_files(tmp_path: Path) -> None:
    write_pictures(tmp_path, {"cat": 1}, size=(6, 5))
    with pytest.raises(ConfigError, match=r"first\.png is 4x3, .*0\.png is 6x5"):
        _files(tmp_path, "cat/0.png", (3, 3, 4)).read(0)


def test_centre_cuts_the_central_square() -> None:
    pixels = np.zeros((4, 10, 3), np.uint8)
    pixels[:, 3:7] = 200
    assert (np.asarray(centre(Image.fromarray(pixels), 4)) == 200).all()


def test_centre_leaves_a_picture_of_the_right_size_alone() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(centre(Image.fromarray(pixels), 8)), pixels)


def test_view_depends_on_its_seed_alone() -> None:
    picture = Image.effect_noise((40, 30), 80)
    first, again, other = (np.asarray(view(picture, 8, seed)) for seed in (1, 1, 2))
    assert first.shape == (8, 8)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_view_of_a_very_narrow_picture_is_its_centre() -> None:
    picture = Image.effect_noise((300, 2), 80)
    assert np.array_equal(np.asarray(view(picture, 2, 0)), np.asarray(centre(picture, 2)))


def test_threads_load_the_same_as_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pictures(tmp_path, {"cat": 9})
    files = _files(tmp_path, "cat/{}.png", (3, 5, 6), n=9)
    plain = files.load()
    monkeypatch.setattr("nascli.dataflow.images.THREADED_BYTES", 0)
    assert np.array_equal(files.load(), plain)


def _png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "PNG")
    return buffer.getvalue()


def _files(folder: Path, name: str, shape: tuple[int, int, int], n: int = 1) -> PictureFiles:
    names = [name.format(k) for k in range(n)]
    format = Format(shape, resize=False, example="first.png")
    return PictureFiles("", open_tree(folder, "path"), names, np.zeros(n, np.int64), format, random_views=False)
