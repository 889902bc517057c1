"""Searches whose candidates are trials of a local Ray, with workers killed in the middle, against searches without Ray.

    python tests/campaigns/ray_trials.py [--candidates 40] [--workers 2] [--kills 1] [--evaluator NAME]
                                         [--folder DIR]

For each evaluator: the search without Ray, the search with Ray of which workers are killed with SIGKILL, and one with
Ray that is stopped with Ctrl-C and resumed. Prints a line each, and exits 1 unless all candidates have a score and the
results are equal bit for bit.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

YAML = """
search_space: {use: tiny, input_shape: [1, 8, 8], classes: 10}
dataflow: {use: digits, batch_size: 32}
constraint: ['macs<=3e5']
threads: 1
train_supernet: {epochs: 4}
search: {search_strategy: {use: evolution, population: 10, parents: 4}, checkpoint_minutes: 0.01}
"""
EVALUATORS = {
    "supernet": ("{use: supernet, calibration_images: 1024, prefix_tree: off}", ("--supernet", "supernet.pt")),
    "train": ("{use: train, epochs: 1}", ()),
}


class Searches:
    """The searches of one evaluator in one folder."""

    def __init__(self, folder: Path, evaluator: str, candidates: int, workers: int) -> None:
        text, inputs = EVALUATORS[evaluator]
        self.folder, self.evaluator, self.candidates = folder, evaluator, candidates
        settings = (f"evaluator={text}", f"max_evaluations={candidates}")
        self._words = [*inputs, *(word for setting in settings for word in ("--set", setting))]
        self._ray = ["--set", f"executor={{use: ray, workers: {workers}}}"]

    def start(self, name: str, *words: str) -> subprocess.Popen[str]:
        """A search in a process group of its own, as a shell starts it."""
        local = [] if "--local" in words else self._ray
        words = tuple(word for word in words if word != "--local")
        command = [sys.executable, "-m", "nascli", "search", "-c", "run.yaml", *self._words, *local, *words]
        command += ["-o", f"{self.evaluator}-{name}.npy", "-q"]
        return subprocess.Popen(
            command, cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )

    def ended(self, process: subprocess.Popen[str], code: int = 0) -> str:
        """What it said on stderr; exits where it did not end as it should."""
        _, said = process.communicate()
        if process.returncode != code:
            raise SystemExit(f"{self.evaluator}: exit code {process.returncode}, expected {code}\n{said}")
        return said

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log of a search."""
        log = self.folder / f"{self.evaluator}-{name}.npy.run/log.jsonl"
        lines = log.read_text().splitlines() if log.exists() else []
        return [json.loads(line) for line in lines if line.endswith("}")]

    def wait_for(self, name: str, scores: int, process: subprocess.Popen[str]) -> None:
        """Until there are so many scores, or the search has ended."""
        while process.poll() is None and sum(e["event"] == "score" for e in self.events(name)) < scores:
            time.sleep(0.01)

    def facts(self, name: str) -> tuple[str, str, int, int]:
        """Digests of result and history, candidates, failed ones."""
        from nascli.artifacts.architecture import Architecture
        from nascli.artifacts.history import History

        path = self.folder / f"{self.evaluator}-{name}.npy"
        history = History.open(path.with_suffix(".history.h5"))
        found = Architecture.open(path).header.digest, history.header.digest
        return *found, len(history.payload.archs), len(history.payload.errors)


def killed(searches: Searches, kills: int) -> int:
    """A search whose workers are killed one after another; how many were."""
    process, done = searches.start("killed"), 0
    for number in range(kills):
        searches.wait_for("killed", (number + 1) * searches.candidates // (kills + 1), process)
        gone = {event.get("pid") for event in searches.events("killed") if event["event"] == "lost worker"}
        pids = [e["pid"] for e in searches.events("killed") if e["event"] == "worker" and e["pid"] not in gone]
        if process.poll() is None and pids:
            os.kill(pids[number % len(pids)], signal.SIGKILL)
            done += 1
    searches.ended(process)
    return done


def stopped(searches: Searches) -> None:
    """A search that Ctrl-C stops in the middle, and its end after --resume."""
    process = searches.start("stopped")
    searches.wait_for("stopped", searches.candidates // 2, process)
    os.killpg(process.pid, signal.SIGINT)
    said = searches.ended(process, 130)
    if "the best so far is in" not in said:
        raise SystemExit(f"{searches.evaluator}: Ctrl-C has left no best\n{said}")
    if left := ours(searches.folder):
        raise SystemExit(f"{searches.evaluator}: Ctrl-C has left processes of Ray's: {left}")
    searches.ended(searches.start("stopped", "--resume"))


def ours(folder: Path) -> list[str]:
    """Processes of Ray's that were started from the folder, some time after their driver has ended."""
    for _ in range(100):
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = process.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if "ray" in words and f"PWD={folder}\0" in process.joinpath("environ").read_text(errors="replace"):
                    found.append(words[:80])
            except OSError:
                continue
        if not found:
            return []
        time.sleep(0.1)
    return found


def main() -> None:
    """Run all, and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kills", type=int, default=1)
    parser.add_argument("--evaluator", choices=[*EVALUATORS], action="append")
    parser.add_argument("--folder", type=Path)
    told = parser.parse_args()
    folder = told.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.yaml").write_text(YAML)
    os.environ["PWD"] = str(folder)
    command = [sys.executable, "-m", "nascli", "train-supernet", "-c", "run.yaml", "-o", "supernet.pt", "-q", "--force"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    wrong = 0
    for evaluator in told.evaluator or EVALUATORS:
        searches = Searches(folder, evaluator, told.candidates, told.workers)
        searches.ended(searches.start("local", "--local"))
        kills = killed(searches, told.kills)
        stopped(searches)
        expected = searches.facts("local")
        for name in ("killed", "stopped"):
            found = searches.facts(name)
            lost = sum(event["event"] == "lost worker" for event in searches.events(name))
            as_told = (
                found == expected and found[2:] == (told.candidates, 0) and lost == (kills if name == "killed" else 0)
            )
            wrong += not as_told or kills < told.kills
            what = f"{kills} workers killed, {lost} noticed" if name == "killed" else "stopped with Ctrl-C and resumed"
            print(f"{evaluator}: {found[2]} candidates, {found[3]} failed, {what}, equal to local: {found == expected}")
    raise SystemExit(wrong)


if __name__ == "__main__":
    main()
