from __future__ import annotations

import contextlib
import io
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nascli.artifacts.files import atomic_folder, atomic_write, canonical_json, sha256, sha256_stream
from nascli.errors import RunFailed


def put(data: bytes) -> Any:
    return lambda stream: stream.write(data)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "file.h5"
    path.write_bytes(b"old")
    return path


@pytest.fixture
def dead() -> int:
    """The id of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_file_is_replaced_and_nothing_else_stays(old: Path) -> None:
    atomic_write(old, put(b"new"))
    assert old.read_bytes() == b"new"
    assert list(old.parent.iterdir()) == [old]


def test_the_folders_above_are_made(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a/b/file.h5", put(b"new"))
    assert (tmp_path / "a/b/file.h5").read_bytes() == b"new"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(old: Path, error: type[BaseException]) -> None:
    def write(stream: IO[bytes]) -> None:
        stream.write(b"half")
        raise error

    with pytest.raises(error):
        atomic_write(old, write)
    assert old.read_bytes() == b"old"
    assert list(old.parent.iterdir()) == [old]


def test_readers_see_the_old_file_until_the_new_one_is_whole(old: Path) -> None:
    seen: list[bytes] = []

    def write(stream: IO[bytes]) -> None:
        stream.write(b"half")
        stream.flush()
        seen.append(old.read_bytes())
        stream.write(b"done")

    atomic_write(old, write)
    assert (seen, old.read_bytes()) == ([b"old"], b"halfdone")


def test_a_full_disk_is_a_failed_run_that_keeps_the_old_file(old: Path) -> None:
    def write(stream: IO[bytes]) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(RunFailed, match="No space left on device") as caught:
        atomic_write(old, write)
    assert caught.value.what == f"cannot write {old}"
    assert old.read_bytes() == b"old"


def test_a_folder_that_cannot_be_made_is_a_failed_run(old: Path) -> None:
    with pytest.raises(RunFailed, match="cannot write"):
        atomic_write(old / "below/file.h5", put(b"new"))


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o444])
def test_the_mode_of_the_old_file_is_kept(old: Path, mode: int) -> None:
    old.chmod(mode)
    atomic_write(old, put(b"new"))
    assert stat.S_IMODE(old.stat().st_mode) == mode


def test_what_a_killed_writer_left_is_removed(old: Path, dead: int) -> None:
    left = old.with_name(f".file.h5.{dead}.tmp")
    left.write_bytes(b"half")
    atomic_write(old, put(b"new"))
    assert not left.exists()


def test_what_may_still_be_written_is_kept(old: Path, dead: int) -> None:
    names = (f".file.h5.{os.getppid()}.tmp", f".other.h5.{dead}.tmp", ".file.h5.backup.tmp", f"file.h5.{dead}.tmp")
    for name in names:
        (old.parent / name).write_bytes(b"mine")
    atomic_write(old, put(b"new"))
    assert {path.name for path in old.parent.iterdir()} == {"file.h5", *names}


def test_leftovers_are_found_beside_names_with_wildcards(tmp_path: Path, dead: int) -> None:
    path, other = tmp_path / "a[1]*.h5", tmp_path / f".a1x.h5.{dead}.tmp"
    left = tmp_path / f".a[1]*.h5.{dead}.tmp"
    for file in (left, other):
        file.write_bytes(b"half")
    atomic_write(path, put(b"new"))
    assert (left.exists(), other.exists()) == (False, True)


def test_leftovers_with_numbers_that_no_process_has_do_not_matter(old: Path) -> None:
    left = old.with_name(f".file.h5.{'9' * 30}.tmp")
    left.write_bytes(b"half")
    atomic_write(old, put(b"new"))
    assert not left.exists()


def test_two_writers_of_one_file_leave_one_of_the_two(tmp_path: Path) -> None:
    path = tmp_path / "file"
    code = (
        "import sys; from pathlib import Path; from nascli.artifacts.files import atomic_write\n"
        f"for _ in range(50): atomic_write(Path({str(path)!r}), lambda s: s.write(sys.argv[1].encode() * 1000))"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, letter]) for letter in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert path.read_bytes() in (b"a" * 1000, b"b" * 1000)
    assert list(tmp_path.iterdir()) == [path]


# --- JSON and hashes -------------------------------------------------------------------------------------------------


def test_canonical_json_has_one_spelling() -> None:
    assert canonical_json({"b": (1, 2.0), "a": "é"}) == '{"a":"é","b":[1,2.0]}'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"x": [-float("inf")]}])
def test_canonical_json_refuses_numbers_that_are_not_finite(value: Any) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(value)


def test_a_hash_is_the_known_one_however_the_data_comes(tmp_path: Path) -> None:
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(b"abc") == sha256(memoryview(b"abc")) == known
    (tmp_path / "file").write_bytes(b"abc")
    with (tmp_path / "file").open("rb") as stream:
        assert sha256_stream(stream) == known


@given(st.integers(0, 3), st.integers(-1, 1))
def test_a_stream_hashes_like_its_bytes_at_the_borders_of_pieces(pieces: int, offset: int) -> None:
    data = b"x" * max(0, pieces * 2**20 + offset)
    assert sha256_stream(io.BytesIO(data)) == sha256(data)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_takes_the_place_of_another(tmp_path: Path, dead: int) -> None:
    place = tmp_path / "above" / "made"
    for name in ("a", "b"):
        with atomic_folder(place) as folder:
            (folder / name).write_text(name)
            assert not (place / name).exists()
        assert names(place) == [name]
    (place.parent / f".made.{dead}.tmp").mkdir()
    (place.parent / f".made.{dead}.old.tmp").mkdir()
    with atomic_folder(place):
        pass
    assert names(place.parent) == ["made"]
    assert names(place) == []


def test_of_a_folder_that_fails_nothing_is_left(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "made") as folder:
        (folder / "old").touch()
    with contextlib.suppress(ZeroDivisionError), atomic_folder(tmp_path / "made") as folder:
        (folder / "new").touch()
        raise ZeroDivisionError
    assert (names(tmp_path), names(tmp_path / "made")) == (["made"], ["old"])


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunFailed, match="cannot write"), atomic_folder(tmp_path / "file" / "made"):
        pass


def test_a_folder_that_cannot_be_placed_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with atomic_folder(tmp_path / "made") as folder:
        (folder / "old").touch()
    move = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if self.name == f".made.{os.getpid()}.tmp":
            raise OSError(28, "No space left on device")
        return move(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(RunFailed, match="cannot write"), atomic_folder(tmp_path / "made"):
        pass
    assert (names(tmp_path), names(tmp_path / "made")) == (["made"], ["old"])
