"""Several processes do what one does: real ones, that Lightning Fabric or torchrun start."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch

from nascli import cli, ranks
from nascli.errors import UsageError
from nascli.ranks import ALONE, Ranks
from nascli.run import Run

from .ranks_worker import STRATEGIES, work

ROOT = Path(__file__).parents[1]
ENV = {**os.environ, "OMP_NUM_THREADS": "1"}
Found = dict[str, Any]

FABRIC = ["-m", "tests.ranks_worker"]
TORCHRUN = ["-m", "torch.distributed.run", "--nproc-per-node=3", "--standalone", "-m", "tests.ranks_worker"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Found:
    return work(tmp_path_factory.mktemp("alone"), ALONE)


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[Found]]:
    """What the processes of two runs found, by their number; both run at the same time."""
    folders = {2: tmp_path_factory.mktemp("two"), 3: tmp_path_factory.mktemp("three")}
    words = {2: [*FABRIC, str(folders[2]), "2"], 3: [*TORCHRUN, str(folders[3]), "1"]}
    jobs = [subprocess.Popen([sys.executable, *line], cwd=ROOT, env=ENV) for line in words.values()]
    assert [job.wait(timeout=240) for job in jobs] == [0, 0]
    return {n: [torch.load(folders[n] / f"rank{i}.pt", weights_only=False) for i in range(n)] for n in folders}


def distance(one: Found, other: Found) -> float:
    """The largest difference between two sets of tensors."""
    assert one.keys() == other.keys()
    return max((one[name].double() - other[name].double()).abs().max().item() for name in one)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("n", [2, 3])
def test_a_supernet_is_that_of_one_process(n: int, strategy: str, alone: Found, together: Any) -> None:
    weights = [
        {k: v for k, v in found[strategy].items() if v.dtype == torch.float64} for found in (alone, together[n][0])
    ]
    assert alone[strategy]["steps"] == 5 or strategy == "differentiable"
    assert distance(*weights) < (1e-10 if strategy != "differentiable" else 1e-7)  # whose parameters are single


@pytest.mark.parametrize("n", [2, 3])
def test_all_processes_hold_the_same_bits(n: int, together: Any) -> None:
    first, *others = together[n]
    for name in (*STRATEGIES, "local", "synchronised"):
        assert all(distance(other[name], first[name]) == 0 for other in others)


@pytest.mark.parametrize("n", [2, 3])
def test_synchronised_batchnorm_is_that_of_the_whole_batch(n: int, alone: Found, together: Any) -> None:
    assert distance(alone["synchronised"], together[n][0]["synchronised"]) < 1e-6  # the reported loss is single
    assert distance(alone["local"], together[n][0]["local"]) > 1e-3


@pytest.mark.parametrize("n", [2, 3])
def test_a_search_has_the_winner_and_the_history_of_one_process(n: int, alone: Found, together: Any) -> None:
    assert together[n][0]["search"] == alone["search"]
    assert all(found["search"]["arch"] == alone["search"]["arch"] for found in together[n])


@pytest.mark.parametrize("n", [2, 3])
def test_evaluation_counts_each_image_once(n: int, alone: Found, together: Any) -> None:
    assert together[n][0]["evaluate"] == alone["evaluate"]
    assert alone["evaluate"]["images"] == 37


def test_gradients_of_the_path_alone_are_exchanged(together: Any) -> None:
    """Two processes and three send the same, and a step of one path less than all tensors."""
    weights = [v for k, v in together[2][0]["uniform"].items() if k.startswith("weights.")]
    sent = together[2][0]["uniform bytes"]
    assert sent == together[3][0]["uniform bytes"]
    assert 0 < sent < 5 * sum(value.nbytes for value in weights) / 2


YAML = """
search_space: {use: tiny, input_shape: [3, 8, 8], classes: 4, width: 4}
dataflow: {use: synthetic, image_shape: [3, 8, 8], classes: 4, train_images: 200, batch_size: 16}
train_supernet: {epochs: 400, checkpoint_steps: 5, panel: 0, warmup_epochs: 0}
"""


WORDS = ["train-supernet", "-c", "c.yaml", "-o", "s.pt"]


def train(folder: Path, *more: str) -> subprocess.Popen[str]:
    (folder / "c.yaml").write_text(YAML)
    line = [sys.executable, "-m", "nascli", *WORDS, *more]
    return subprocess.Popen(line, cwd=folder, env=ENV, text=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE)


def log(folder: Path) -> list[dict[str, Any]]:
    path = folder / "s.pt.run" / "log.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for_steps(folder: Path, process: subprocess.Popen[str]) -> None:
    while not any(line["event"] == "checkpoint" for line in log(folder)):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    time.sleep(random.random() / 2)


def children(process: subprocess.Popen[str]) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=True)
    return [int(pid) for pid in found.stdout.split()]


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def killed(tmp_path: Path) -> str:
    """What a training says whose second process is killed at a random step."""
    process = train(tmp_path, "--devices", "2")
    wait_for_steps(tmp_path, process)
    (child,) = children(process)
    os.kill(child, signal.SIGKILL)
    begun = time.monotonic()
    said = process.communicate(timeout=60)[1]
    assert time.monotonic() - begun < 30  # and not as long as a process would wait for another
    assert process.returncode == 5
    return said


def stop_after_a_step(run: Run, minutes: float) -> bool:
    run.stopping = True
    return True


def test_a_lost_process_ends_the_run_which_another_number_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = killed(tmp_path)
    assert "a process of the run was lost" in said
    assert "--resume" in said.partition("hint:")[2]
    last = max(line["step"] for line in log(tmp_path) if line["event"] == "checkpoint")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Run, "checkpoint_due", stop_after_a_step)
    assert cli.run([*WORDS, "--resume"]) == 130
    assert "processes 2 → 1" in capsys.readouterr().err
    steps = [line["step"] for line in log(tmp_path) if line["event"] in ("resume", "checkpoint")]
    assert steps[-2:] == [last, last + 1]


def test_ctrl_c_stops_all_processes_at_one_step_and_the_end_of_the_first_is_the_end_of_all(tmp_path: Path) -> None:
    process = train(tmp_path, "--devices", "2")
    wait_for_steps(tmp_path, process)
    found = [process.pid, *children(process)]
    for pid in found:
        os.kill(pid, signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert said.count("interrupted; nothing is lost") == 1
    deadline = time.monotonic() + 10
    while any(map(is_running, found)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(is_running, found))


def of(rank: int, n: int) -> Ranks:
    found = Ranks()
    found.rank, found.world_size = rank, n
    return found


@pytest.mark.parametrize(("images", "n"), [(8, 3), (3, 3), (10, 4), (2, 3)])
def test_shares_cover_everything_once(images: int, n: int) -> None:
    parts = [list(range(images))[of(rank, n).share(images)] for rank in range(n)]
    assert list(chain(*parts)) == list(range(images))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


TORCHRUN_ENV = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4", "RANK": "5", "LOCAL_RANK": "1"}
SLURM_ENV = {"SLURM_STEP_NUM_TASKS": "8", "SLURM_STEP_NUM_NODES": "2", "SLURM_PROCID": "5", "SLURM_LOCALID": "1"}
MPI_ENV = {"OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_LOCAL_SIZE": "4", "OMPI_COMM_WORLD_RANK": "5"}


@pytest.mark.parametrize("env", [TORCHRUN_ENV, SLURM_ENV, MPI_ENV], ids=["torchrun", "srun", "mpirun"])
def test_processes_that_were_started_need_no_flags(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert ranks.wanted(1, 1, "cpu") == ranks.wanted("auto", 2, "cpu") == ranks.wanted(4, 2, "cpu") == (4, 2)
    assert not ranks.is_first_process((4, 2))
    with pytest.raises(UsageError, match="leave --devices"):
        ranks.wanted(2, 2, "cpu")


def test_a_batch_script_without_srun_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "8")
    monkeypatch.setenv("SLURM_PROCID", "0")
    assert ranks.wanted(1, 1, "cpu") == (1, 1)
    assert ranks.is_first_of_node()


def test_one_process_is_plain_torch(alone: Found) -> None:
    assert alone["evaluate"]["images"]
    assert "lightning_fabric" not in sys.modules
    assert not torch.distributed.is_initialized()


def test_without_the_package_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    told = "a run of several processes needs the package lightning-fabric"
    with pytest.raises(UsageError, match=told), ranks.together((2, 1), "cpu"):
        pass
