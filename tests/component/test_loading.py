from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nascli.component import claims, digest_of
from nascli.errors import ComponentError
from tests.conftest import Lock, Write


def test_the_digest_of_a_file_changes_with_its_content_and_not_with_its_place(write: Write) -> None:
    first, same, other = write("a.py", "x = 1"), write("deep/b.py", "x = 1"), write("c.py", "x = 2")
    assert digest_of(first) == digest_of(same) != digest_of(other)


@pytest.mark.parametrize("change", [("in.py", "x = 2"), ("new.py", ""), ("sub/in.py", "x = 1")])
def test_the_digest_of_a_folder_changes_with_any_python_file(write: Write, tmp_path: Path, change: Any) -> None:
    write("pack/__init__.py", "")
    write("pack/in.py", "x = 1")
    before = digest_of(tmp_path / "pack")
    write(f"pack/{change[0]}", change[1])
    assert digest_of(tmp_path / "pack") != before


def test_the_digest_of_a_folder_passes_over_what_python_and_editors_leave_there(write: Write, tmp_path: Path) -> None:
    write("pack/__init__.py", "")
    before = digest_of(tmp_path / "pack")
    write("pack/__pycache__/x.pyc", "compiled")
    (tmp_path / "pack/.#__init__.py").symlink_to("user@machine.1234")
    assert digest_of(tmp_path / "pack") == before


def test_renaming_a_file_of_a_folder_changes_the_digest(write: Write, tmp_path: Path) -> None:
    write("pack/a.py", "x = 1")
    before = digest_of(tmp_path / "pack")
    (tmp_path / "pack/a.py").rename(tmp_path / "pack/b.py")
    assert digest_of(tmp_path / "pack") != before


def test_moving_text_between_files_changes_the_digest(write: Write, tmp_path: Path) -> None:
    for folder, (a, b) in {"one": ("x = 1\n", "y = 2\n"), "two": ("x = 1\ny = 2\n", "")}.items():
        write(f"{folder}/a.py", a)
        write(f"{folder}/b.py", b)
    assert digest_of(tmp_path / "one") != digest_of(tmp_path / "two")


def test_what_cannot_be_read_has_no_digest(write: Write, tmp_path: Path, lock: Lock) -> None:
    write("pack/__init__.py", "")
    inner = write("pack/inner/loss.py", "").parent
    (tmp_path / "pack/dangling.py").symlink_to("nowhere")
    with pytest.raises(ComponentError, match=r"cannot read .*/pack/dangling\.py"):
        digest_of(tmp_path / "pack")
    (tmp_path / "pack/dangling.py").unlink()
    lock(inner)
    with pytest.raises(ComponentError, match=r"cannot read .*/pack/inner\n") as caught:
        digest_of(tmp_path / "pack")
    assert caught.value.exit_code == 2


def test_a_package_that_pip_left_half_installed_does_not_break_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = tmp_path / "half-1.0.dist-info"
    left.mkdir()
    (left / "entry_points.txt").write_text("[nascli.search_space]\ntiny = half:Tiny\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert [point.value for point in claims("nascli.search_space")["tiny"]][-1:] == ["nascli.search_space.tiny:Tiny"]
