"""Results that are there already, dry runs, and two writers of one file."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from nascli.artifacts.base import read_header
from nascli.errors import torch_error
from tests.conftest import Command

YAML = """
search_space: {use: tiny, width: 4}
dataflow: {use: digits, batch_size: 128}
threads: 1
train_supernet: {epochs: 1}
retrain: {epochs: 1}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table and a network made from it."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "run.yaml").write_text(YAML)
    for arguments in (["build-lut", "-o", "lut.h5"], ["retrain", "--arch", "0,0,1,0,1,0", "-o", "model.pt"]):
        command = [sys.executable, "-m", "nascli", *arguments, "-c", "run.yaml", "-q"]
        subprocess.run(command, check=True, cwd=folder, capture_output=True)
    return folder


def again(made: Path, in_process: Command, *arguments: str, **env: str) -> bool:
    """Whether `retrain --skip-if-current` left the file as it was."""
    before = (made / "model.pt").read_bytes()
    config = ["-c", str(made / "run.yaml"), "--arch", "0,0,1,0,1,0", "-o", str(made / "copy.pt"), "-q"]
    (made / "copy.pt").write_bytes(before)
    done = in_process("retrain", *config, "--skip-if-current", *arguments, **env)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{made / 'copy.pt'}\n"
    return (made / "copy.pt").read_bytes() == before


def test_the_inputs_of_a_result_are_recorded_without_their_manifests(made: Path) -> None:
    header = read_header(made / "model.pt")
    assert len(header.manifest) > 1
    assert header.inputs["arch"].contents
    assert header.inputs["arch"].manifest == ()


def test_a_current_result_is_kept(made: Path, in_process: Command) -> None:
    assert again(made, in_process)


def test_what_says_only_how_to_run_does_not_count(made: Path, in_process: Command) -> None:
    assert again(made, in_process, "--set", "threads=2", "--set", "checkpoint_steps=7", "--accelerator", "cpu")


@pytest.mark.parametrize(
    "change",
    [
        ("--set", "learning_rate=0.01"),
        ("--seed", "1"),
        ("--set", "dataflow.split_seed=1"),
        ("--arch", "0,0,1,0,2,0"),
    ],
)
def test_a_change_makes_it_anew(made: Path, in_process: Command, change: tuple[str, str]) -> None:
    assert not again(made, in_process, *change)


def test_the_seed_of_the_environment_counts(made: Path, in_process: Command) -> None:
    assert not again(made, in_process, NASCLI_SEED="3")


def test_a_broken_result_is_made_anew(made: Path, in_process: Command) -> None:
    content = bytearray((made / "lut.h5").read_bytes())
    content[-9] ^= 255
    (made / "bad.h5").write_bytes(content)
    done = in_process("build-lut", "-c", str(made / "run.yaml"), "-o", str(made / "bad.h5"), "--skip-if-current", "-q")
    assert done.returncode == 0, done.stderr
    digests = [
        json.loads(in_process("inspect", str(made / n), "--json").stdout)["digest"] for n in ("bad.h5", "lut.h5")
    ]
    assert digests[0] == digests[1]


def test_a_dry_run_writes_nothing(made: Path, in_process: Command, tmp_path: Path) -> None:
    done = in_process("train-supernet", "-c", str(made / "run.yaml"), "-o", "new/supernet.pt", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert "15,625" in plan["search space"]
    assert "digits" in plan["data"]
    assert list(tmp_path.iterdir()) == []


def test_a_result_of_another_suffix_is_told_with_the_right_one(made: Path, in_process: Command) -> None:
    done = in_process("build-lut", "-c", str(made / "run.yaml"), "-o", "lut.pt")
    assert done.returncode == 2
    assert "hint: -o lut.h5" in done.stderr


WIDE = """
from torch import nn

from nascli.search_space.chain import Block, ChainSpace, Layer, Macro, Stage


def wide(in_channels, out_channels, stride):
    return nn.Conv2d(in_channels, out_channels + 1, 3, stride, 1)


class Wide(ChainSpace):
    class Config(ChainSpace.Config):
        input_shape: tuple[int, int, int] = (1, 8, 8)

    def macro_cfg(self):
        last = Stage(Block("pool", "global_average"), 4, 4), Stage(Block("classifier", "classifier"), 4, 10)
        return Macro((), (Layer(1, 4),), last)

    def micro_cfg(self):
        return Block("skip", "skip"), Block("wide", "./wide.py:wide")
"""


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["search", "--constraint", "macs<=1", "--lut", "lut.h5", "--evaluator", "table"], 4, "smallest"),
        (["train-supernet", "--set", "search_space.input_shape=[3, 8, 8]"], 2, "input_shape"),
        (["retrain", "--arch", "0,0,1"], 3, "--arch 0,0,0,0,0,0"),
        (["train-supernet", "--constraint", "macs<3e5"], 2, "macs<=3e5"),
        (["train-supernet", "--constraint", "macs<=1"], 4, "smallest"),
        (["train-supernet", "--constraint", "latency_ms<=1"], 2, "meters=[macs, params, latency_ms]"),
        (["train-supernet", "--training-strategy", "sandwich"], 2, "sandwich"),
        (["train-supernet", "--search-space", "./wide.py:Wide"], 2, "block 'wide'"),
    ],
)
def test_a_dry_run_fails_as_the_run_would(
    made: Path, in_process: Command, tmp_path: Path, arguments: list[str], code: int, word: str
) -> None:
    given = [str(made / a) if a == "lut.h5" else a for a in arguments]
    suffix = {"search": "a.npy", "train-supernet": "s.pt", "retrain": "m.pt"}[arguments[0]]
    (tmp_path / "wide.py").write_text(WIDE)
    done = in_process(*given, "-c", str(made / "run.yaml"), "-o", suffix, "--dry-run")
    assert done.returncode == code, done.stderr
    assert word in done.stderr


def test_a_second_writer_of_one_file_is_refused_and_a_killed_one_frees_it(nascli: Command, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(YAML)
    arguments = ["train-supernet", "-c", "run.yaml", "--epochs", "500", "-o", "s.pt"]
    first = subprocess.Popen([sys.executable, "-m", "nascli", *arguments], cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        while first.poll() is None and not (tmp_path / "s.pt.run/log.jsonl").exists():
            time.sleep(0.02)
        second = nascli(*arguments, "--force")
    finally:
        first.kill()
        first.wait()
    assert second.returncode == 3
    assert f"in use by process {first.pid}" in second.stderr
    third = nascli(*arguments, "--force", "--epochs", "1", "-q")
    assert third.returncode == 0, third.stderr


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="root may write everywhere else")
def test_a_folder_that_cannot_be_written_is_named(made: Path, nascli: Command) -> None:
    done = nascli("build-lut", "-c", str(made / "run.yaml"), "-o", "/proc/lut.h5")
    assert done.returncode == 5
    assert "cannot write /proc" in done.stderr


def test_an_external_architecture_can_be_resumed(tmp_path: Path, nascli: Command) -> None:
    (tmp_path / "run.yaml").write_text(YAML)
    arguments = ["retrain", "-c", "run.yaml", "--arch", "0,0,1,0,1,0", "--set", "checkpoint_steps=2", "-o", "m.pt"]
    first = subprocess.Popen([sys.executable, "-m", "nascli", *arguments], cwd=tmp_path, stderr=subprocess.DEVNULL)
    while first.poll() is None and not (tmp_path / "m.pt.run/last.pt").exists():
        time.sleep(0.005)
    first.kill()
    first.wait()
    done = nascli(*arguments, "--resume", "-q")
    assert done.returncode == 0, done.stderr


def test_verbose_shows_a_traceback_and_keeps_message_and_exit_code(made: Path, nascli: Command) -> None:
    table = ["--lut", str(made / "lut.h5"), "--evaluator", "table", "--constraint", "macs<=1"]
    done = nascli("search", "-c", str(made / "run.yaml"), *table, "-o", "a.npy", "-v")
    assert done.returncode == 4
    assert "Traceback" in done.stderr
    assert "error: no architecture meets" in done.stderr


@pytest.mark.parametrize("how", [(), ("--dry-run",)])
def test_out_of_memory_is_a_failed_run(nascli: Command, how: tuple[str, ...]) -> None:
    done = nascli("train-supernet", "--set", "search_space.width=30000000", "-o", "s.pt", *how)
    assert done.returncode == 5
    assert "out of memory" in done.stderr


def test_a_batch_too_small_for_batchnorm_is_a_failed_run() -> None:
    with pytest.raises(ValueError, match="Expected more than 1 value") as caught:
        torch.nn.BatchNorm2d(3).train()(torch.zeros(1, 3, 1, 1))
    told = torch_error(caught.value)
    assert told is not None
    assert "a batch of one image" in told.what
    assert "dataflow.batch_size" in told.hint
    assert torch_error(ValueError("another")) is None


def test_a_side_artifact_is_not_overwritten(made: Path, in_process: Command, tmp_path: Path) -> None:
    (tmp_path / "a.history.h5").write_bytes(b"precious")
    table = ["--lut", str(made / "lut.h5"), "--evaluator", "table"]
    done = in_process("search", "-c", str(made / "run.yaml"), *table, "-o", "a.npy")
    assert done.returncode == 2
    assert "a.history.h5 exists" in done.stderr
    assert (tmp_path / "a.history.h5").read_bytes() == b"precious"


def test_a_search_killed_between_its_history_and_its_architecture_goes_on(
    made: Path, in_process: Command, tmp_path: Path
) -> None:
    budget = ["--set", "max_evaluations=2", "--set", "search_strategy=random", "--evaluator", "train"]
    search = ["search", "-c", str(made / "run.yaml"), "--lut", str(made / "lut.h5"), *budget, "-o", "a.npy"]
    assert in_process(*search).returncode == 0
    before = {name: read_header(tmp_path / name).digest for name in ("a.npy", "a.history.h5")}
    (tmp_path / "a.npy").unlink()
    assert in_process(*search, "--resume").returncode == 0
    assert {name: read_header(tmp_path / name).digest for name in before} == before
