"""Exceptions in code of one's own name its line, and are no bug of nascli."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nascli.cli import run
from nascli.component import load_object
from nascli.users import is_users, place, users_error

STRATEGY = """from nascli.training_strategy.base import Pass, TrainingStrategy, Update

class Mine(TrainingStrategy):
    def updates(self, step, rng):
        {body}
"""
YAML = """search_space: tiny
dataflow: {{use: digits, batch_size: 64}}
threads: 1
train_supernet: {{epochs: 1, panel: 0, training_strategy: './mine.py:Mine'}}
"""


@pytest.fixture(autouse=True)
def _no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests named, such as modules of `tests`, is nobody's here."""
    monkeypatch.setattr("nascli.users._packages", set())


def raised(call: Any) -> Exception:
    with pytest.raises((KeyError, TypeError, RuntimeError, ValueError)) as caught:
        call()
    return caught.value


def loaded(folder: Path, text: str, name: str = "mine") -> Any:
    (folder / "mine.py").write_text(text)
    return load_object("block", f"./mine.py:{name}", folder)[0]


def test_the_innermost_line_of_ones_own_is_told(tmp_path: Path) -> None:
    mine = loaded(tmp_path, "def inner():\n    return {}['gone']\n\ndef mine():\n    return inner()\n")
    told = users_error(raised(mine), "nascli search -c a.yaml")
    assert told is not None
    assert told.exit_code == 2
    assert told.what == "mine.py, line 2, in inner: KeyError: 'gone'"
    assert told.why == "return {}['gone']"
    assert told.hint == "the whole traceback: NASCLI_DEBUG=1 nascli search -c a.yaml"


def test_a_library_below_is_not_the_line(tmp_path: Path) -> None:
    mine = loaded(tmp_path, "import torch\n\ndef mine():\n    return torch.nn.Linear(2, 2)(torch.zeros(3))\n")
    assert place(raised(mine)) == " (mine.py, line 4)"


def test_wrong_arguments_are_told_with_the_file(tmp_path: Path) -> None:
    mine = loaded(tmp_path, "class OnlyHere:\n    def updates(self, step):\n        pass\n", "OnlyHere")
    told = users_error(raised(lambda: mine().updates(0, 1)), "nascli")
    assert told is not None
    assert told.what == "mine.py: TypeError: OnlyHere.updates() takes 2 positional arguments but 3 were given"


def test_wrong_arguments_are_told_with_every_file_that_defines_the_name(tmp_path: Path) -> None:
    text = "class Twice:\n    def updates(self, step):\n        pass\n"
    for name in ("second", "first"):
        (tmp_path / f"{name}.py").write_text(text)
        mine = load_object("block", f"./{name}.py:Twice", tmp_path)[0]
    (tmp_path / "third.py").write_text(
        "import sys\n\nTwice = next(m.Twice for m in list(sys.modules.values()) if 'nascli_user_first' in m.__name__)\n"
    )
    load_object("block", "./third.py:Twice", tmp_path)
    told = users_error(raised(lambda: mine().updates(0, 1)), "nascli")
    assert told is not None
    assert told.what.startswith("first.py or second.py: TypeError: Twice.updates() takes")


def test_a_package_that_a_reference_named_counts_and_ours_do_not(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "plugged_in.py").write_text("def block():\n    raise ValueError('no')\n")
    monkeypatch.syspath_prepend(tmp_path)
    load_object("block", "plugged_in:block", tmp_path)
    load_object("block", "nascli.search_space.blocks.basic:conv", tmp_path)
    load_object("block", "torch.nn:Conv2d", tmp_path)
    assert is_users("plugged_in")
    assert not any(map(is_users, ("nascli.search_space.blocks.basic", "torch.nn.modules.conv", "stages.search")))


def test_what_ones_own_code_had_no_part_in_stays_a_bug() -> None:
    assert users_error(raised(lambda: int("a")), "nascli") is None


def test_the_command_line_tells_the_line_and_exits_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run.yaml").write_text(YAML.format())
    Path("mine.py").write_text(STRATEGY.format(body="yield Update([Pass(self.space.forward([0, 0, 9, 0, 0, 0]))])"))
    assert run(["train-supernet", "-c", "run.yaml", "-o", "supernet.pt"]) == 2
    error, why, hint = capsys.readouterr().err.splitlines()[-3:]
    assert error == "error: mine.py, line 5, in Mine.updates: ValueError: decision 'layer_02' takes 0 to 4, found 9"
    assert why == "  why: yield Update([Pass(self.space.forward([0, 0, 9, 0, 0, 0]))])"
    assert hint == " hint: the whole traceback: NASCLI_DEBUG=1 nascli train-supernet -c run.yaml -o supernet.pt"
