"""Trials in the workers of a local Ray; skipped where Ray is not installed."""

from __future__ import annotations

import json
import signal
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.history import History
from nascli.artifacts.supernet import SupernetCheckpoint, TrainedSupernet
from nascli.component import Reference, resolve
from nascli.config import Origin, validate
from nascli.errors import ConfigError, Interrupted, RunFailed, UsageError
from nascli.ranks import Ranks
from nascli.run import Run
from nascli.search_space.base import record_of
from nascli.training_agent.base import EvaluatorInputs, Setup
from nascli.training_agent.executor import Executor, Local
from nascli.training_agent.ray_executor import Ray
from nascli.training_agent.searching import Search, run_search
from nascli.training_agent.settings import Engines

from .helpers import fresh

# files and processes that the lowest Ray leaves to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SPACE = resolve("search_space", {"use": "tiny", "input_shape": (1, 8, 8), "classes": 4, "width": 4})
FLOW = {"use": "synthetic", "classes": 4, "image_shape": (1, 8, 8), "train_images": 60, "test_images": 12}
OWN = """
import os
import signal
from pathlib import Path

from nascli.search_strategy.base import Score
from nascli.training_agent.base import Evaluator


class Fragile(Evaluator):
    "Scores by the candidates' indices; what the file `deadly` says kills its process, or fails in it."

    def prepare(self, inputs):
        self._run = inputs.setup.run
        return {}

    def groups(self, archs):
        return [list(range(len(archs)))]

    def evaluate(self, archs):
        scores = [self._score([int(i) for i in arch]) for arch in archs]
        return scores[1:] if Path("deadly").exists() and Path("deadly").read_text() == "few" else scores

    def _score(self, arch):
        deadly, once = Path("deadly"), Path(f"once-{arch}")
        words = deadly.read_text().split() if deadly.exists() else ["nothing"]
        if words[0] == "odd" and arch[0] == 1 and arch[1] == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if words[0] == "once" and arch[2] == 2 and not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if words[0] == "bug":
            raise ZeroDivisionError("by nothing")
        return Score(sum(i * 3**n for n, i in enumerate(arch)) % 101 / 101, 0.5, 1)
"""


@pytest.fixture(scope="module")
def ray() -> Iterator[Ray]:
    """A local Ray with room for two workers."""
    pytest.importorskip("ray")
    made = Ray(Ray.Config(workers=2, retries=1))
    before = signal.getsignal(signal.SIGTERM)
    with made.session():
        assert signal.getsignal(signal.SIGTERM) is before
        yield made


@pytest.fixture
def fragile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reference:
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    return resolve("evaluator", "./own.py:Fragile", Origin(base=tmp_path))


def search(
    executor: Executor,
    name: str,
    evaluator: Reference,
    supernet: SupernetCheckpoint | None = None,
    budget: int = 40,
    *,
    run: Run | None = None,
) -> Architecture:
    parts = {"search_space": SPACE, "dataflow": resolve("dataflow", FLOW)}
    parts["training_agent"] = resolve("training_agent", "classification")
    strategy = resolve("search_strategy", {"use": "evolution", "population": 10, "parents": 4})
    told = Search(strategy, evaluator, [], budget, 1e6, executor=executor, parts=parts)
    space, run = SPACE.build(), run or Run(Path(f"{name}.npy"))
    setup = Setup(parts["training_agent"].build(), parts["dataflow"].build(), run)
    inputs = EvaluatorInputs(space, setup, Engines(accelerator="cpu", threads=1), supernet)
    return run_search(inputs, record_of(SPACE, space.space), None, told)


def digests(found: Architecture, name: str) -> tuple[str, str]:
    return found.sealed().header.digest, History.open(Path(f"{name}.history.h5")).header.digest


def test_lost_workers_change_nothing(ray: Ray, fragile: Reference, tmp_path: Path) -> None:
    """40 candidates of an evaluator from a file, workers killed in the middle: the scores of a search without Ray."""
    expected = digests(search(Local(), "local", fragile), "local")
    (tmp_path / "deadly").write_text("once")
    found = search(ray, "ray", fragile)
    history = History.open(Path("ray.history.h5")).payload
    log = [json.loads(line) for line in Path("ray.npy.run/log.jsonl").read_text().splitlines()]
    pids = {kind: {line.get("pid") for line in log if line["event"] == kind} for kind in ("worker", "lost worker")}
    assert pids["lost worker"]
    assert pids["lost worker"] <= pids["worker"]
    assert (len(history.archs), dict(history.errors)) == (40, {})
    assert digests(found, "ray") == expected


def test_a_trial_that_kills_every_worker_fails_and_the_search_goes_on(
    ray: Ray, fragile: Reference, tmp_path: Path
) -> None:
    (tmp_path / "deadly").write_text("odd")
    search(ray, "ray", fragile, budget=20)
    history = History.open(Path("ray.history.h5")).payload
    odd = [row for row, arch in enumerate(history.archs) if arch[0] == 1 and arch[1] == 1]
    assert len(history.archs) == 20
    assert sorted(history.errors) == odd
    assert all("its worker was lost 2 times" in text for text in history.errors.values())


def test_a_supernet_scores_alike_in_workers(ray: Ray, fragile: Reference) -> None:
    weights = TrainedSupernet(fresh(SPACE.build().supernet).state_dict(), {})
    made = SupernetCheckpoint(weights, space=record_of(SPACE, SPACE.build().space))
    made.write(Path("supernet.pt"))
    evaluator = resolve("evaluator", {"use": "supernet", "calibration_images": 16})
    opened = SupernetCheckpoint.open(Path("supernet.pt"))
    found = [
        digests(search(executor, name, evaluator, opened, 12), name)
        for executor, name in ((Local(), "local"), (ray, "ray"))
    ]
    assert found[0] == found[1]


class StoppedRun(Run):
    """Is asked to stop when the first group is scored."""

    def log(self, **fields: Any) -> None:
        super().log(**fields)
        self.stopping = self.stopping or fields.get("evaluated", 0) >= 3


def test_a_search_that_was_stopped_resumes_to_the_same_digests(ray: Ray, fragile: Reference) -> None:
    with pytest.raises(Interrupted) as caught:
        search(ray, "cut", fragile, budget=20, run=StoppedRun(Path("cut.npy")))
    assert "the best so far" in caught.value.why
    found = digests(search(ray, "cut", fragile, budget=20, run=Run(Path("cut.npy"), resume=True)), "cut")
    assert found == digests(search(Local(), "whole", fragile, budget=20), "whole")


def test_a_bug_in_an_evaluator_ends_the_search(ray: Ray, fragile: Reference, tmp_path: Path) -> None:
    (tmp_path / "deadly").write_text("bug")
    with pytest.raises(RunFailed, match="scoring failed in a worker") as caught:
        search(ray, "ray", fragile)
    assert caught.value.why == "ZeroDivisionError: by nothing"


def test_scores_that_an_evaluator_may_not_give_end_the_search(ray: Ray, fragile: Reference, tmp_path: Path) -> None:
    (tmp_path / "deadly").write_text("few")
    with pytest.raises(RunFailed, match="the evaluator Fragile gave"):
        search(ray, "ray", fragile)


def test_a_worker_says_what_it_lacks(ray: Ray, fragile: Reference, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no such file: .*elsewhere/own\.py"):
        search(ray, "ray", replace(fragile, base=tmp_path / "elsewhere"))


def test_what_has_no_room_is_refused(ray: Ray, fragile: Reference) -> None:
    with pytest.raises(UsageError, match="there is no room") as caught:
        search(Ray(Ray.Config(cpus=64)), "ray", fragile)
    assert caught.value.why == "it asks for CPU 64; there is CPU 2"


def test_threads_and_device_are_one_for_all(ray: Ray) -> None:
    found = ray.engines(Engines())
    assert (found.accelerator, found.threads) == ("cpu", 1)
    asked = Ray(Ray.Config(cpus=3, gpus=0.5)).engines(Engines())
    assert (asked.accelerator, asked.threads) == ("auto", 3)
    assert Ray(Ray.Config(gpus=0)).engines(Engines(threads=2)).threads == 2


@pytest.mark.parametrize("options", [{"cpus": 1.5}, {"gpus": 2.5}, {"cpus": 0}, {"retries": -1}])
def test_amounts_that_ray_does_not_know_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        validate(Ray.Config, options, Origin())


def test_processes_of_a_run_and_an_executor_do_not_go_together(
    fragile: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ray, "check", lambda self: None)
    run = Run(Path("arch.npy"))
    run.ranks = Ranks()
    run.ranks.world_size = 2
    with pytest.raises(UsageError, match="not by both"):
        search(Ray(), "arch", fragile, run=run)


def test_without_ray_the_way_to_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="the executor 'ray' needs the package ray"):
        Ray().check()


@pytest.mark.parametrize("address", ["127.0.0.1:{port}", "ray://127.0.0.1:{port}"])
def test_a_cluster_that_is_not_there_is_named(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = address.format(port=free.getsockname()[1])
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setattr("ray.shutdown", lambda: None)  # that of the other tests goes on
    with pytest.raises(RunFailed, match=f"RAY_ADDRESS={address}") as caught, Ray().session():
        pass
    assert "refused" in caught.value.why
    assert "ray start" in caught.value.hint
