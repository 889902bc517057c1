"""Another process comes to the same evaluator by references and paths."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nascli.component import Reference, resolve
from nascli.config import Origin
from nascli.errors import ArtifactError, ComponentError, UsageError
from nascli.run import Run
from nascli.search_space.base import SearchSpace
from nascli.training_agent.base import Evaluator, EvaluatorInputs, Setup
from nascli.training_agent.job import Job, Part, portable
from nascli.training_agent.settings import Engines

OWN = """
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from nascli.component import Kind, Reference
from nascli.config import option
from nascli.criterion.cross_entropy import CrossEntropy
from nascli.search_strategy.base import Score
from nascli.training_agent.base import Evaluator


class Loss(CrossEntropy):
    "A loss of one's own."


class First(Evaluator):
    "The accuracy is the share that the first choice has."

    class Config(Evaluator.Config):
        steps: tuple[int, ...] = (5,)
        table: Path = option(Path(), strict=False)
        criterion: Annotated[Reference, Kind("criterion")] = option("cross_entropy")

    def prepare(self, inputs: Any) -> Mapping[str, Any]:
        return {"table": self.config.table.read_text()}

    def evaluate(self, archs: Any) -> list[Score]:
        return [Score(float(arch[0]) / self.config.steps[0], 0.0, 1) for arch in archs]
"""
OPTIONS = {"steps": (7,), "table": "t.txt", "criterion": {"use": "./own.py:Loss", "label_smoothing": 0.25}}
FLOW = {"use": "synthetic", "classes": 4, "image_shape": (1, 8, 8), "train_images": 24, "test_images": 8}


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Job, dict[str, Reference]]:
    """The job of an evaluator from a file beside a YAML, made in the folder of a table that it reads."""
    folder = tmp_path / "yaml"
    folder.mkdir()
    (folder / "own.py").write_text(OWN)
    (tmp_path / "t.txt").write_text("seven")
    monkeypatch.chdir(tmp_path)
    told: dict[str, Any] = {
        "evaluator": {"use": "./own.py:First", **OPTIONS},
        "search_space": {"use": "tiny", "input_shape": (1, 8, 8), "classes": 4, "width": 4},
        "dataflow": FLOW,
        "training_agent": "classification",
    }
    references = {kind: resolve(kind, value, Origin(base=folder)) for kind, value in told.items()}
    return job_of(references), references


def job_of(references: dict[str, Reference], supernet: Any = None) -> Job:
    space: SearchSpace = references["search_space"].build()
    setup = Setup(references["training_agent"].build(), references["dataflow"].build(), Run(Path("arch.npy"), seed=3))
    inputs = EvaluatorInputs(space, setup, Engines(accelerator="cpu", threads=1), supernet)
    evaluator: Evaluator = references["evaluator"].build()
    return Job.of(references, inputs, evaluator.prepare(inputs))


def test_the_evaluator_of_a_job_is_the_same_in_any_folder(made: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job, references = made
    monkeypatch.chdir("/")
    sent: Job = pickle.loads(pickle.dumps(job))
    evaluator = sent.evaluator()
    config: Any = evaluator.config
    was: Any = references["evaluator"].options
    assert (config.steps, config.table) == (was.steps, was.table)
    assert replace(config.criterion, use="") == replace(was.criterion, use="")
    assert evaluator.evaluate(np.array([[7], [0]]))[0].accuracy == 1
    assert Path.cwd() == Path(job.folder)


def test_a_job_is_plain_data(made: Any) -> None:
    job, _ = made
    references = {kind: part.reference for kind, part in job.parts.items()}
    assert json.loads(json.dumps(references)) == references
    assert b"nascli_user" not in pickle.dumps(job)


def test_a_reference_is_portable_with_those_in_its_options(made: Any, tmp_path: Path) -> None:
    _, references = made
    file = tmp_path / "yaml/own.py"
    assert portable(references["evaluator"]) == {
        "use": f"{file}:First",
        "steps": [7],
        "table": "t.txt",
        "criterion": {"use": f"{file}:Loss", "label_smoothing": 0.25},
    }
    assert portable(references["training_agent"])["use"] == "classification"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda job: replace(job, version="0.0.1"), "another nascli"),
        (lambda job: replace(job, fingerprint="0"), "another search space"),
        (lambda job: replace(job, facts={"table": "six"}), "another input of the evaluator"),
        (lambda job: replace(job, supernet=("none.pt", "0")), "no such file"),
    ],
    ids=["version", "space", "facts", "supernet"],
)
def test_what_differs_in_the_other_process_is_refused(made: Any, change: Callable[[Job], Job], said: str) -> None:
    with pytest.raises(ArtifactError, match=said):
        change(made[0]).evaluator()


def test_another_file_of_the_same_name_is_refused(made: Any) -> None:
    job, _ = made
    parts = {**job.parts, "evaluator": replace(job.parts["evaluator"], source="0" * 64)}
    with pytest.raises(ComponentError, match="another file of this name"):
        replace(job, parts=parts).evaluator()


def test_the_run_of_a_job_keeps_nothing(made: Any) -> None:
    job, _ = made
    job.evaluator()
    assert not Path(f"{job.out}.run").exists()


def test_files_in_the_options_of_a_space_start_where_they_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.py").write_text(
        "from torch import nn\n\n\ndef block(i, o, s):\n    return nn.Conv2d(i, o, 3, s, 1)\n"
    )
    structure = {"first": [{"op": "conv", "out": 8, "kernel": 3}], "search": [{"out": 8, "stride": 1, "repeat": 2}]}
    told = {"use": "chain", "input_shape": (1, 8, 8), "classes": 4, **structure}
    told["candidates"] = [{"op": "skip"}, {"op": "./own.py:block"}]
    reference = resolve("search_space", told, Origin(base=tmp_path))
    part = Part.of(reference)
    monkeypatch.chdir("/")
    found = part.resolved("search_space").build()
    assert found.space.fingerprint == reference.build().space.fingerprint
    assert found.model([1, 0]) is not None


def test_a_supernet_without_a_file_cannot_be_read_elsewhere(made: Any) -> None:
    from nascli.artifacts.supernet import SupernetCheckpoint

    with pytest.raises(UsageError, match="this one has none"):
        job_of(made[1], SupernetCheckpoint())
