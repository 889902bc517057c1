from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nascli.artifacts.base import read_header
from nascli.artifacts.history import History, Trials
from nascli.artifacts.report import Report
from nascli.artifacts.reported import Reported
from nascli.errors import Interrupted
from nascli.run import Run, stream_seed

from .test_run import CONFIG, ONE, run

# --- random streams --------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32), st.text(max_size=9), st.integers(0, 2**40))
def test_a_stream_is_a_function_of_seed_name_and_step(seed: int, name: str, step: int) -> None:
    runs = [Run(Path("x.pt"), seed=seed) for _ in range(2)]
    draws = [one.rng(name, step).integers(2**63, size=4).tolist() for one in runs]
    assert draws[0] == draws[1]
    assert runs[0].torch_seed(name, step) == runs[1].torch_seed(name, step)


def test_streams_differ_by_seed_name_and_step() -> None:
    keys = [(seed, name, step) for seed in (0, 1, 2) for name in ("path", "data", "") for step in (0, 1, 1000)]
    draws = {Run(Path("x.pt"), seed=seed).rng(name, step).integers(2**63) for seed, name, step in keys}
    seeds = {Run(Path("x.pt"), seed=seed).torch_seed(name, step) for seed, name, step in keys}
    assert len(draws) == len(seeds) == len(keys)


def test_the_streams_are_those_of_the_first_release() -> None:
    assert stream_seed(1, "path", 2) == [1, 190089999, 2]
    assert Run(Path("x.pt"), seed=1).rng("path", 2).integers(2**63) == 5070756834174409100
    assert Run(Path("x.pt"), seed=1).torch_seed("path", 2) == 7589149447058355637


def test_torch_takes_every_seed() -> None:
    for step in range(50):
        torch.Generator().manual_seed(Run(Path("x.pt")).torch_seed("augment", step))


def test_drawing_leaves_the_global_streams_as_they_were() -> None:
    before = torch.get_rng_state().clone(), np.random.get_state()[1].tolist()
    one = Run(Path("x.pt"))
    one.rng("path").random(9)
    one.torch_seed("path")
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]


# --- log and side artifacts ------------------------------------------------------------------------------------------


def test_the_log_has_one_json_object_a_line(tmp_path: Path) -> None:
    one = run(tmp_path)
    one.log(event="train", loss=0.5, text="zwei\nZeilen [é]")
    run(tmp_path).log(event="resume", step=3)
    lines = [json.loads(line) for line in (tmp_path / "supernet.pt.run/log.jsonl").read_text().splitlines()]
    times = [line.pop("time") for line in lines]
    assert lines == [{"event": "train", "loss": 0.5, "text": "zwei\nZeilen [é]"}, {"event": "resume", "step": 3}]
    assert times == sorted(times)


def test_the_run_folder_holds_the_settings_in_full(tmp_path: Path) -> None:
    run(tmp_path, options={**CONFIG, "threads": 1}).log(event="start")
    found = json.loads((tmp_path / "supernet.pt.run/run.json").read_text())
    assert found["options"] == {**CONFIG, "shape": [1, 8, 8], "threads": 1}


@pytest.mark.parametrize(("out", "side"), [("arch.npy", "arch.history.h5"), ("a.b.npy", "a.b.history.h5")])
def test_a_side_artifact_lies_beside_the_result(tmp_path: Path, out: str, side: str) -> None:
    none = np.zeros(0)
    trials = Trials(np.zeros((0, 3), dtype=np.int64), none, none, none.astype(int), {}, {})
    path = Run(tmp_path / out, config=CONFIG).save("history", History(trials))
    assert path == tmp_path / side
    assert read_header(path).config["epochs"] == 2


def test_a_result_is_completed_with_settings_inputs_and_provenance(tmp_path: Path) -> None:
    report = Report(Reported({"top1": 0.5}), summary={"x": 1})
    run(tmp_path, options={"threads": 3}).complete(report).write(tmp_path / "report.json")
    header = read_header(tmp_path / "report.json")
    assert header.config == {**CONFIG, "shape": [1, 8, 8]}
    assert (header.inputs, header.summary) == ({"lut": ONE}, {"x": 1})
    assert header.provenance["options"] == {"threads": 3}
    assert {"command", "created", "host", "packages", "python"} <= set(header.provenance)


def test_the_digest_is_that_of_settings_and_not_of_how_it_was_run(tmp_path: Path) -> None:
    def digest(**options: Any) -> str:
        return str(run(tmp_path, **options).complete(Report(Reported({}))).sealed().header.digest)

    assert digest(options={"threads": 1}) == digest(options={"threads": 2})
    assert digest() != digest(config={}) != digest(config={}, inputs={})


# --- stopping --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [["train-supernet", "-o", "my s.pt"], ["train-supernet", "--resume", "-o", "my s.pt"]]
)
def test_a_stopped_run_says_how_to_go_on(tmp_path: Path, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["nascli", *words])
    one = run(tmp_path)
    one.stop_if_asked()
    one.stopping = True
    with pytest.raises(Interrupted) as caught:
        one.stop_if_asked()
    assert caught.value.exit_code == 130
    assert caught.value.hint == "go on: nascli train-supernet -o 'my s.pt' --resume"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_stops(tmp_path: Path, number: signal.Signals) -> None:
    before, one = signal.getsignal(number), run(tmp_path)
    one.resumable = True
    with one.signals():
        os.kill(os.getpid(), number)
        assert one.stopping
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_a_signal_stops_at_once_what_cannot_be_resumed(tmp_path: Path) -> None:
    with run(tmp_path).signals(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_handlers_are_put_back_after_an_error(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(RuntimeError), run(tmp_path).signals():
        raise RuntimeError
    assert signal.getsignal(signal.SIGINT) is before


def test_a_run_in_a_thread_leaves_signals_alone(tmp_path: Path) -> None:
    seen: list[Any] = []

    def work() -> None:
        with run(tmp_path).signals():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]


def test_a_run_needs_no_torch(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from nascli.run import Run
run = Run(Path({str(tmp_path / "x.pt")!r}))
run.start()
run.log(draw=run.rng("path").random(), seed=run.torch_seed("path"))
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
