"""Searches in a trained supernet: what strategies learn from it, and what an interruption leaves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.strategy_state import LearnedState, StrategyState
from nascli.artifacts.supernet import SupernetCheckpoint, TrainedSupernet
from nascli.component import resolve
from nascli.cost.constraint import Constraint
from nascli.errors import Interrupted, Mismatch, UsageError
from nascli.ranks import Ranks
from nascli.run import Run
from nascli.search_space.base import record_of
from nascli.search_space.tiny import Tiny
from nascli.training_agent.base import EvaluatorInputs
from nascli.training_agent.searching import Search, run_search
from nascli.training_agent.settings import Engines

from .helpers import flow, fresh, setup, tiny

REFERENCE = resolve("search_space", {"use": "tiny", "width": 4, "input_shape": [3, 8, 8], "classes": 4})

SMALL = {"steps": 2, "width": 4, "layers": 0, "batch": 2, "targets": 2, "priors": 1, "answers": 2}


def checkpoint(folder: Path, arch_parameters: Mapping[str, torch.Tensor] | None = None) -> SupernetCheckpoint:
    weights = TrainedSupernet(fresh(tiny().supernet).state_dict(), arch_parameters or {})
    made = SupernetCheckpoint(weights, space=record_of(REFERENCE, tiny().space), data=flow().describe())
    made.write(folder / "supernet.pt")
    return SupernetCheckpoint.open(folder / "supernet.pt")


def alphas(without: str = "") -> dict[str, torch.Tensor]:
    return {d.label: torch.arange(float(d.size)) for d in tiny().space.decisions if d.label != without}


def learning(
    folder: Path,
    strategy: Any,
    supernet: SupernetCheckpoint | None,
    learned: StrategyState | None = None,
    constraint: str = "macs<=2e5",
    run: Run | None = None,
) -> Architecture:
    evaluator = resolve("evaluator", {"use": "supernet", "calibration_images": 8})
    bound = [Constraint.parse(constraint)]
    told = Search(resolve("search_strategy", strategy), evaluator, bound, 3, 1e6, learned=learned)
    given = EvaluatorInputs(tiny(), setup(run or Run(folder / "arch.npy")), Engines(accelerator="cpu"), supernet)
    return run_search(given, record_of(REFERENCE, tiny().space), None, told)


GENERATOR = {"use": "generator", **SMALL}


def test_architecture_parameters_of_the_supernet_are_decoded(tmp_path: Path) -> None:
    found = learning(tmp_path, "differentiable", checkpoint(tmp_path, alphas()), constraint="macs<=1e9")
    assert list(found.payload.arch) == [d.size - 1 for d in tiny().space.decisions]
    assert found.header.summary["decoded"] == "argmax"
    assert 0 <= found.header.summary["accuracy"] <= 1


@pytest.mark.parametrize("lacking", ["everything", "one", "a size"])
def test_a_supernet_without_architecture_parameters_is_told_how_to_get_them(tmp_path: Path, lacking: str) -> None:
    label = tiny().space.decisions[2].label
    values = {"everything": {}, "one": alphas(without=label), "a size": {**alphas(), label: torch.zeros(7)}}[lacking]
    with pytest.raises(UsageError, match=r"needs architecture parameters, which .*supernet\.pt lacks") as caught:
        learning(tmp_path, "differentiable", checkpoint(tmp_path, values))
    assert "--training-strategy differentiable" in caught.value.hint
    assert caught.value.exit_code == 2


def test_what_a_strategy_lacks_is_told_before_weights_are_read(tmp_path: Path) -> None:
    supernet = checkpoint(tmp_path)
    (tmp_path / "supernet.pt").write_bytes(b"")
    with pytest.raises(UsageError, match="needs architecture parameters"):
        learning(tmp_path, "differentiable", supernet)


def test_a_strategy_without_its_supernet_is_told_which_to_train(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs --supernet") as caught:
        learning(tmp_path, "differentiable", None)
    assert "--training-strategy differentiable" in caught.value.hint


def test_what_a_generator_learned_lies_beside_the_result_and_answers_later_searches(tmp_path: Path) -> None:
    supernet = checkpoint(tmp_path)
    first = learning(tmp_path, GENERATOR, supernet)
    state = StrategyState.open(tmp_path / "arch.generator.pt")
    assert (state.strategy, state.header.summary["metric"]) == ("generator", "macs")
    assert state.header.summary["tau"] == first.header.summary["generator"]["tau"]
    (tmp_path / "arch.generator.pt").rename(tmp_path / "kept.pt")
    state = StrategyState.open(tmp_path / "kept.pt")
    scored = learning(tmp_path, GENERATOR, supernet, state, "macs<=1e5")
    alone = learning(tmp_path, GENERATOR, None, state, "macs<=1e5")
    for found in (scored, alone):
        assert found.header.summary["costs"]["macs"] <= 1e5
    assert "accuracy" in scored.header.summary
    assert "accuracy" not in alone.header.summary
    assert not (tmp_path / "arch.generator.pt").exists()


class Pair(Ranks):
    """The first of two processes, the other of which has nothing to do."""

    world_size = 2

    def gather(self, value: Any) -> list[Any]:
        return [value, []]


def test_what_a_generator_learned_answers_without_a_supernet_on_several_processes_too(tmp_path: Path) -> None:
    learning(tmp_path, GENERATOR, checkpoint(tmp_path))
    run = Run(tmp_path / "pair.npy")
    run.ranks = Pair()
    state = StrategyState.open(tmp_path / "arch.generator.pt")
    assert "accuracy" not in learning(tmp_path, GENERATOR, None, state, run=run).header.summary


class CutRun(Run):
    """Is asked to stop during the second relaxed loss."""

    def torch_seed(self, stream: str, step: int = 0) -> int:
        self.stopping = self.stopping or (stream, step) == ("relaxed", 1)
        return super().torch_seed(stream, step)


def test_an_interrupted_generator_resumes_to_the_same_digests(tmp_path: Path) -> None:
    supernet, told = checkpoint(tmp_path), {**GENERATOR, "steps": 4}
    results = [learning(tmp_path, told, supernet, run=Run(tmp_path / "whole.npy"))]
    with pytest.raises(Interrupted):
        learning(tmp_path, told, supernet, run=CutRun(tmp_path / "cut.npy"))
    results.append(learning(tmp_path, told, supernet, run=Run(tmp_path / "cut.npy", resume=True)))
    log = [json.loads(line) for line in (tmp_path / "cut.npy.run/log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log if line["event"] == "resume"] == [2]
    assert len({found.sealed().header.digest for found in results}) == 1
    states = [StrategyState.open(tmp_path / f"{name}.generator.pt").header.digest for name in ("whole", "cut")]
    assert states[0] == states[1]


def test_what_was_learned_belongs_to_its_strategy(tmp_path: Path) -> None:
    def state(strategy: str) -> StrategyState:
        return StrategyState(LearnedState(strategy, {}), summary={"strategy": strategy})

    with pytest.raises(UsageError, match="'random' begins with nothing learned") as caught:
        learning(tmp_path, "random", None, state("generator"))
    assert "--search-strategy generator" in caught.value.hint
    with pytest.raises(UsageError, match=r"learned by the search strategy 'mine\.py:Own', not by 'generator'"):
        learning(tmp_path, GENERATOR, None, state("mine.py:Own"))


def test_a_generator_of_other_data_is_a_mismatch(tmp_path: Path) -> None:
    supernet = checkpoint(tmp_path)
    learned = LearnedState("generator", {})
    state = StrategyState(learned, data=flow(split_seed=1).describe(), summary={"strategy": "generator"})
    with pytest.raises(Mismatch, match="--generator was made on 'synthetic'"):
        learning(tmp_path, GENERATOR, supernet, state)


def test_a_supernet_of_other_data_is_a_mismatch(tmp_path: Path) -> None:
    weights = TrainedSupernet(fresh(tiny().supernet).state_dict())
    other = SupernetCheckpoint(weights, data=flow(split_seed=1).describe())
    assert REFERENCE.cls is Tiny
    told = Search(resolve("search_strategy", "random"), resolve("evaluator", "supernet"), [], 3, 1e6)
    given = EvaluatorInputs(tiny(), setup(Run(tmp_path / "arch.npy")), Engines(accelerator="cpu"), other)
    with pytest.raises(Mismatch, match="--supernet was made on 'synthetic'"):
        run_search(given, record_of(REFERENCE, tiny().space), None, told)


class StoppedRun(Run):
    """Is asked to stop when something is scored."""

    def log(self, **fields: Any) -> None:
        self.stopping = fields["event"] == "score"
        super().log(**fields)


def test_an_interrupted_search_leaves_its_best(tmp_path: Path) -> None:
    supernet = checkpoint(tmp_path)
    with pytest.raises(Interrupted) as caught:
        learning(tmp_path, "random", supernet, run=StoppedRun(tmp_path / "arch.npy"))
    best = Architecture.open(tmp_path / "arch.best.npy")
    assert caught.value.why == f"the best so far is in {tmp_path / 'arch.best.npy'}"
    assert best.header.summary["interrupted"] is True
    assert 1 <= best.header.summary["evaluations"] <= 3
    assert 0 <= best.header.summary["accuracy"] <= 1
    learning(tmp_path, "random", supernet, run=Run(tmp_path / "arch.npy", resume=True))
    assert not (tmp_path / "arch.best.npy").exists()
