"""The stages chained through the shell, as users chain them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Command

YAML = """
search_space: {use: tiny, input_shape: [1, 8, 8], classes: 10, width: 4}
dataflow: {use: digits, batch_size: 128, valid_share: 0.2}
constraint: ['macs<=3e4']
threads: 1
train_supernet: {epochs: 2}
search:
  search_strategy: {use: evolution, population: 4, parents: 2}
  evaluator: {use: supernet, calibration_images: 64, validation_images: 64}
  max_evaluations: 8
retrain: {epochs: 2}
"""


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the five files of one run."""
    folder = tmp_path_factory.mktemp("chain")
    (folder / "run.yaml").write_text(YAML)
    for arguments in (
        ["build-lut", "-o", "lut.h5"],
        ["train-supernet", "-o", "supernet.pt"],
        ["search", "--lut", "lut.h5", "--supernet", "supernet.pt", "-o", "arch.npy"],
        ["retrain", "--arch", "arch.npy", "--init", "supernet.pt", "-o", "model.pt"],
        ["evaluate", "--model", "model.pt", "--lut", "lut.h5", "-o", "report.json"],
    ):
        command = [sys.executable, "-m", "nascli", *arguments, "-c", "run.yaml", "-q"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout == arguments[-1] + "\n"
        assert done.stderr == ""
    return folder


def test_the_chain_leaves_its_files_and_no_checkpoint(chain: Path) -> None:
    names = {path.name for path in chain.iterdir() if path.is_file()}
    stages = {"run.yaml", "lut.h5", "supernet.pt", "arch.npy", "model.pt", "report.json"}
    assert names == stages | {"arch.history.h5", "report.mistakes.h5"}
    assert not list(chain.glob("*.run/last.*"))


def test_the_architecture_is_a_plain_vector_within_the_constraint(chain: Path, nascli: Command) -> None:
    vector = np.load(chain / "arch.npy")
    facts = json.loads(nascli("inspect", str(chain / "arch.npy"), "--json").stdout)
    assert vector.dtype == np.int64
    assert vector.tolist() == facts["arch"]
    assert facts["summary"]["costs"]["macs"] <= 3e4
    assert facts["summary"]["evaluations"] == 8


def test_the_report_counts_what_the_table_predicts(chain: Path) -> None:
    report = json.loads((chain / "report.json").read_text())["report"]
    assert report["images"] == 360
    assert report["macs"] == report["table"]["macs"]
    assert report["params"] == report["table"]["params"]


def test_lineage_names_all_inputs_space_and_data(chain: Path, nascli: Command) -> None:
    text = nascli("inspect", "--lineage", str(chain / "report.json")).stdout
    for word in ("model", "arch ", "lut", "supernet", "init", "search space  tiny", "data  digits", "test 360"):
        assert word in text


def test_inspect_shows_every_artifact(chain: Path, nascli: Command) -> None:
    files = [str(chain / name) for name in ("lut.h5", "supernet.pt", "arch.npy", "arch.history.h5", "model.pt")]
    shown = nascli("inspect", *files, str(chain / "report.json"))
    assert shown.returncode == 0, shown.stderr
    for word in ("mobile_k5_e4", "best 8 of 8 architectures", "top1", "macs [MAC]"):
        assert word in shown.stdout


def test_the_same_seed_gives_the_same_digests(chain: Path, nascli: Command, tmp_path: Path) -> None:
    config = str(chain / "run.yaml")
    nascli("train-supernet", "-c", config, "-o", "again.pt")
    supernet = ["--lut", str(chain / "lut.h5"), "--supernet", "again.pt"]
    nascli("search", "-c", config, *supernet, "-o", "again.npy")
    for again, first in (
        ("again.pt", "supernet.pt"),
        ("again.npy", "arch.npy"),
        ("again.history.h5", "arch.history.h5"),
    ):
        facts = [json.loads(nascli("inspect", str(p), "--json").stdout) for p in (tmp_path / again, chain / first)]
        assert facts[0]["digest"] == facts[1]["digest"]


def test_an_infeasible_constraint_exits_4_without_torch(chain: Path, tmp_path: Path) -> None:
    arguments = [
        "--lut",
        str(chain / "lut.h5"),
        "--supernet",
        str(chain / "supernet.pt"),
        "-o",
        str(tmp_path / "a.npy"),
    ]
    code = f"""
import sys
from nascli.cli import run
code = run(["search", "-c", {str(chain / "run.yaml")!r}, "--constraint", "macs<=1", *{arguments!r}])
print(code, "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["4", "False"]
    assert "smallest" in done.stderr
    assert "macs=" in done.stderr
    assert not (tmp_path / "a.npy").exists()


def test_without_a_table_macs_are_counted_on_the_spot(chain: Path, nascli: Command) -> None:
    done = nascli(
        "search", "-c", str(chain / "run.yaml"), "--supernet", str(chain / "supernet.pt"), "-o", "b.npy", "--json"
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)["summary"]
    assert (
        summary["costs"]["macs"]
        == json.loads(nascli("inspect", str(chain / "arch.npy"), "--json").stdout)["summary"]["costs"]["macs"]
    )


def test_a_supernet_of_another_space_is_refused(chain: Path, nascli: Command) -> None:
    nascli("build-lut", "--search-space", "nasbench_macro", "-o", "other.h5")
    done = nascli(
        "search",
        "-c",
        str(chain / "run.yaml"),
        "--lut",
        "other.h5",
        "--supernet",
        str(chain / "supernet.pt"),
        "-o",
        "a.npy",
    )
    assert done.returncode == 3
    assert "NasBenchMacro" in done.stderr


def test_a_supernet_of_other_data_is_refused(chain: Path, nascli: Command) -> None:
    arguments = ["--supernet", str(chain / "supernet.pt"), "-o", "a.npy", "--set", "dataflow.split_seed=1"]
    done = nascli("search", "-c", str(chain / "run.yaml"), *arguments)
    assert done.returncode == 3
    assert "digits" in done.stderr


def test_a_written_architecture_is_retrained_as_external(chain: Path, nascli: Command) -> None:
    config = str(chain / "run.yaml")
    done = nascli("retrain", "-c", config, "--arch", "0,0,1,0,1,0", "--epochs", "1", "-o", "model.pt")
    assert done.returncode == 0, done.stderr
    header = json.loads(nascli("inspect", "model.pt", "--lineage", "--json").stdout)["header"]
    assert header["inputs"]["arch"]["summary"] == {"origin": "external"}


def test_an_existing_result_is_kept(chain: Path, nascli: Command) -> None:
    before = (chain / "lut.h5").read_bytes()
    done = nascli("build-lut", "-c", str(chain / "run.yaml"), "-o", str(chain / "lut.h5"))
    assert done.returncode == 2
    assert "--force" in done.stderr
    assert (chain / "lut.h5").read_bytes() == before


def test_a_missing_input_names_the_command_that_makes_it(chain: Path, nascli: Command) -> None:
    done = nascli("search", "-c", str(chain / "run.yaml"), "--lut", "nothing.h5", "-o", "a.npy")
    assert done.returncode == 3
    assert "nothing.h5" in done.stderr
    assert "nascli build-lut" in done.stderr


def test_sigterm_ends_with_130_and_a_command_that_resumes(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(YAML)
    arguments = ["train-supernet", "-c", "run.yaml", "--epochs", "500", "-o", "s.pt"]
    command = [sys.executable, "-m", "nascli", *arguments]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    log = tmp_path / "s.pt.run/log.jsonl"
    while process.poll() is None and not (log.exists() and '"train"' in log.read_text()):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"nascli {' '.join(arguments)} --resume" in stderr
    assert (tmp_path / "s.pt.run/last.pt").exists()


def test_an_interrupted_search_leaves_its_best_so_far_to_be_retrained(
    chain: Path, nascli: Command, tmp_path: Path
) -> None:
    options = ["-c", str(chain / "run.yaml"), "--supernet", str(chain / "supernet.pt"), "-o", "a.npy"]
    endless = ["--set", "search.max_evaluations=100000", "--set", "constraint=[]"]
    command = [sys.executable, "-m", "nascli", "search", *options, *endless]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    log = tmp_path / "a.npy.run/log.jsonl"
    while process.poll() is None and not (log.exists() and '"score"' in log.read_text()):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in stderr
    assert "the best so far is in a.best.npy" in stderr
    assert not (tmp_path / "a.npy").exists()
    done = nascli("retrain", "-c", str(chain / "run.yaml"), "--arch", "a.best.npy", "-o", "m.pt", "--dry-run")
    assert done.returncode == 0, done.stderr


def test_a_killed_training_resumes_to_the_same_digest(chain: Path, nascli: Command, tmp_path: Path) -> None:
    options = ["-c", str(chain / "run.yaml"), "--set", "checkpoint_steps=3", "-o", "s.pt", "--resume"]
    process = subprocess.Popen([sys.executable, "-m", "nascli", "train-supernet", *options], cwd=tmp_path)
    while process.poll() is None and not (tmp_path / "s.pt.run/last.pt").exists():
        time.sleep(0.005)
    process.kill()
    process.wait()
    done = nascli("train-supernet", *options)
    assert done.returncode == 0, done.stderr
    digests = [
        json.loads(nascli("inspect", str(p), "--json").stdout)["digest"] for p in ("s.pt", chain / "supernet.pt")
    ]
    assert digests[0] == digests[1]
