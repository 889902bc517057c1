from __future__ import annotations

import os
import pickle
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nascli.dataflow.files import Tree, open_tree
from nascli.errors import ConfigError, RunFailed
from tests.conftest import Lock

from .helpers import zipped


@pytest.fixture(params=["folder", "zip"])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Tree:
    """Files a/one, a/b/two and one at the top, an empty folder, hidden things."""
    root = tmp_path / "root"
    for name in ("a/one", "a/b/two", "top", ".hidden/three", "__MACOSX/a/._one"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "empty").mkdir()
    return open_tree(root if request.param == "folder" else zipped(root, tmp_path / "root.zip"), "path")


def test_files_are_listed_sorted_without_hidden_ones(tree: Tree) -> None:
    assert list(tree.files) == ["a/b/two", "a/one", "top"]


def test_files_are_listed_with_their_sizes(tree: Tree) -> None:
    assert tree.files["a/one"].size == 5


def test_folders_are_listed_the_empty_ones_too(tree: Tree) -> None:
    assert (tree.folders_in(""), tree.folders_in("a"), tree.folders_in("empty")) == (("a", "empty"), ("b",), ())


def test_links_that_lead_back_are_not_followed_and_others_are(tmp_path: Path) -> None:
    for name in ("root/a/one", "elsewhere/two"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "root/a/up").symlink_to(tmp_path / "root")
    (tmp_path / "root/b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "root/a")
    (tmp_path / "elsewhere/again").symlink_to(tmp_path / "elsewhere")
    assert list(open_tree(tmp_path / "root", "path").files) == ["a/one", "b/back/one", "b/two"]


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, lock: Lock) -> None:
    (tmp_path / "root/train/dogs").mkdir(parents=True)
    (tmp_path / "root/train/cats").mkdir()
    lock(tmp_path / "root/train/dogs")
    with pytest.raises(RunFailed, match=r"cannot read .*/train/dogs") as caught:
        open_tree(tmp_path / "root", "path")
    assert caught.value.why == "Permission denied"


def test_a_file_is_read(tree: Tree) -> None:
    assert tree.read("a/b/two") == b"a/b/two"


def test_a_missing_file_fails_by_name(tree: Tree) -> None:
    with pytest.raises(RunFailed, match="gone"):
        tree.read("gone")


def test_a_file_is_read_in_threads(tree: Tree) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(tree.read, ["a/one", "top"] * 200)) == {b"a/one", b"top"}


def test_a_tree_can_be_sent_to_another_process(tree: Tree) -> None:
    assert pickle.loads(pickle.dumps(tree)).read("top") == b"top"


def test_a_forked_process_opens_the_archive_anew(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/file").write_text("content")
    tree = open_tree(zipped(tmp_path / "in", tmp_path / "in.zip"), "path")
    before, pid = tree._archive(), os.getpid()  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getpid", lambda: pid + 1)
        assert tree._archive() is not before  # type: ignore[attr-defined]
        assert tree.read("file") == b"content"


def test_files_without_folder_entries_have_folders_all_the_same(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x/y/z", "content")
    tree = open_tree(tmp_path / "a.zip", "path")
    assert (tree.folders_in(""), tree.folders_in("x")) == (("x",), ("y",))


def test_a_member_with_a_wrong_checksum_fails_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/file", b"0123456789")
    path.write_bytes(path.read_bytes().replace(b"0123456789", b"0123456780"))
    with pytest.raises(RunFailed, match=r"a\.zip/x/file"):
        open_tree(path, "path").read("x/file")


def test_a_damaged_archive_fails_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK nothing more")
    with pytest.raises(RunFailed, match=r"a\.zip"):
        open_tree(tmp_path / "a.zip", "path")


def test_a_dangling_link_fails_when_read(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(RunFailed, match="link"):
        open_tree(tmp_path, "path").read("link")


def test_a_path_to_nothing_suggests_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "pictures-train.zip").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"did you mean 'pictures-train\.zip'\?"):
        open_tree(tmp_path / "pictures-tran.zip", "dataflow.path")


@pytest.mark.parametrize("name", ["gone", "file.txt"])
def test_a_path_to_nothing_useful_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(ConfigError, match=rf"dataflow\.path: .*{name}"):
        open_tree(tmp_path / name, "dataflow.path")


@pytest.mark.parametrize("version", [0, 20])
def test_an_archive_that_zipfile_cannot_read_is_refused_by_name(tmp_path: Path, version: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("train/a.png", b"1")
    raw = bytearray((tmp_path / "a.zip").read_bytes())
    place = raw.index(b"PK\x01\x02")
    if version:
        raw[place + 6 : place + 8] = b"\x94\x00"  # the version that is needed to extract it: 14.8
    else:
        raw[place + 28 : place + 30] = b"\x00\x00"  # the length of its name
    (tmp_path / "a.zip").write_bytes(raw)
    with pytest.raises(RunFailed, match=r"a\.zip"):
        open_tree(tmp_path / "a.zip", "path").read("train/a.png")
