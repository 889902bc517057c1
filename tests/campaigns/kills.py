"""Kill `train-supernet` and `search` with SIGKILL again and again; the results must equal uninterrupted ones.

    python tests/campaigns/kills.py [--kills 5] [--folder DIR]

Each kill comes after the first checkpoint of its process and between two checkpoints. Prints one line per stage
and exits 1 if a tensor, an architecture or a history differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

YAML = """
search_space: {use: tiny, input_shape: [1, 8, 8], classes: 10}
dataflow: {use: digits, batch_size: 64}
constraint: ['macs<=3e5']
train_supernet: {epochs: 24, checkpoint_steps: 30}
search:
  search_strategy: {use: evolution, population: 20}
  evaluator: {use: supernet, calibration_images: 1024}
  max_evaluations: 250
  checkpoint_minutes: 0.005
"""


def command(*arguments: str) -> list[str]:
    """The command line of a stage."""
    return [sys.executable, "-m", "nascli", *arguments, "-q"]


def events(folder: Path) -> list[dict[str, object]]:
    """The lines of a run's log."""
    log = folder / "log.jsonl"
    lines = log.read_text().splitlines() if log.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def checkpoints(out: Path) -> float:
    """When the run last wrote its checkpoint; 0 before the first."""
    files = list(out.with_name(out.name + ".run").glob("last.*"))
    return max((file.stat().st_mtime for file in files), default=0.0)


def run_killed(arguments: list[str], out: Path, kills: int, rng: random.Random, env: dict[str, str]) -> int:
    """Run to the end through `kills` kills; the number of kills that hit a living process."""
    done = 0
    while True:
        process = subprocess.Popen(command(*arguments, "-o", str(out), "--resume"), env=env, stdout=subprocess.DEVNULL)
        started = checkpoints(out)
        while process.poll() is None and done < kills:
            time.sleep(0.01)
            if checkpoints(out) > started:
                time.sleep(rng.uniform(0.02, 0.25))
                process.send_signal(signal.SIGKILL)
                process.wait()
                done += 1
                break
        if process.wait() == 0:
            return done
        if process.returncode != -signal.SIGKILL:
            raise SystemExit(f"the stage failed with exit code {process.returncode}")


def digest(path: Path) -> str:
    """The digest of an artifact."""
    text = subprocess.run([*command("inspect", str(path))[:-1], "--json"], check=True, capture_output=True, text=True)
    return str(json.loads(text.stdout)["digest"])


def same_tensors(first: Path, second: Path) -> bool:
    """Whether two supernets are equal bit for bit."""
    import torch

    a, b = (torch.load(path, weights_only=True)["state_dict"] for path in (first, second))
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    folder = told.folder or Path(tempfile.mkdtemp(prefix="nascli-kills-"))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.yaml").write_text(YAML)
    config, rng, env = str(folder / "run.yaml"), random.Random(told.seed), {**os.environ, "OMP_NUM_THREADS": "1"}
    whole, killed = folder / "whole.pt", folder / "killed.pt"
    train = ["train-supernet", "-c", config]
    subprocess.run(command(*train, "-o", str(whole)), check=True, env=env, stdout=subprocess.DEVNULL)
    hits = run_killed(train, killed, told.kills, rng, env)
    resumes = [e["step"] for e in events(folder / "killed.pt.run") if e["event"] == "resume"]
    equal = same_tensors(whole, killed) and digest(whole) == digest(killed)
    print(f"train-supernet: {hits} kills, resumed at steps {resumes}, bit-equal: {equal}")

    search = ["search", "-c", config, "--supernet", str(whole)]
    first, second = folder / "whole.npy", folder / "killed.npy"
    subprocess.run(command(*search, "-o", str(first)), check=True, env=env, stdout=subprocess.DEVNULL)
    shots = run_killed(search, second, told.kills, rng, env)
    resumed = [e["evaluated"] for e in events(folder / "killed.npy.run") if e["event"] == "resume"]
    same = all(digest(first.with_suffix(s)) == digest(second.with_suffix(s)) for s in (".npy", ".history.h5"))
    print(f"search: {shots} kills, resumed after {resumed} evaluations, same architecture and history: {same}")
    enough = hits == shots == told.kills and all(step > 0 for step in resumes)
    return 0 if equal and same and enough else 1


if __name__ == "__main__":
    sys.exit(main())
