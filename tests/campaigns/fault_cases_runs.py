"""Devices that are not there, names that reach outside, proposals that are none, and runs that others cannot resume."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from tests.campaigns.fault_cases_costs import cell, table
from tests.campaigns.fault_cases_processes import LONG, running
from tests.campaigns.fault_kit import SEARCH, TRAIN, Case, Tried, child

STRATEGY = """
import numpy as np

from nascli.search_strategy.base import Outcome, SearchStrategy


class Mine(SearchStrategy):
    requires = frozenset({"score"})

    def search(self, problem, rng):
        problem.score(np.array(PROPOSAL))
        return Outcome(np.array([[0] * 6]))
"""
EVALUATOR = """
from nascli.search_strategy.base import Score
from nascli.training_agent.base import Evaluator


class Mine(Evaluator):
    def prepare(self, inputs):
        return {}

    def evaluate(self, archs):
        scores = [Score(0.1 * sum(arch), 1.0, 8) for arch in archs.tolist()]
        return FOUND
"""
DATAFLOW = """
import numpy as np

from nascli.dataflow.base import Dataflow
from nascli.dataflow.sources import ArraySource


class Mine(Dataflow):
    def classes(self):
        return tuple("0123456789")

    def source(self, part):
        labels = np.arange(20) % 10
        labels[0] = 10 if part == PART else 0
        return ArraySource.of(np.zeros((20, 1, 8, 8), np.uint8), labels)
"""
NONE = "Score(float('nan'), float('nan'), 0, 'out of memory')"
NAMES = ("../x", "/etc/x", "a/b", "class", "1abc", "ѕpace", "a.b", "", "x" * 200)


def component(text: str, name: str, value: str) -> Callable[[Path], None]:
    """Writes mine.py, in which `name` is `value`."""
    return lambda folder: (folder / "mine.py").write_text(text.replace(name, value)) and None


def resumed(*options: str) -> Callable[[Path], list[Tried]]:
    """A training killed behind a checkpoint, gone on with under other options."""

    def act(folder: Path) -> list[Tried]:
        with running(folder, KILLED, '"checkpoint"'):
            pass
        return [child(folder, [*KILLED.split(), "--resume", *options])]

    return act


def resumed_under_another_torch(folder: Path) -> list[Tried]:
    """A training killed behind a checkpoint that says it was written under another version of torch."""
    from nascli.artifacts.checkpoint import Checkpoint

    with running(folder, KILLED, '"checkpoint"'):
        pass
    checkpoint = Checkpoint.open(folder / "new.pt.run/last.pt")
    _ = checkpoint.payload
    facts = dict(checkpoint.header.provenance)
    facts["packages"] = {**facts["packages"], "torch": "1.0"}
    checkpoint.header = checkpoint.header.model_copy(update={"provenance": facts})
    checkpoint.write(folder / "new.pt.run/last.pt")
    return [child(folder, [*KILLED.split(), "--resume"])]


def searched_with_another_table(folder: Path) -> list[Tried]:
    """A search stopped behind a checkpoint, gone on with on a table of the same space with other costs."""
    table(cell(5.0))(folder)
    (folder / "mine.py").write_text(EVALUATOR.replace("FOUND", STOPPED))
    line = JUDGE.replace("old.npy --force", "new.npy")
    stopped = child(folder, shlex.split(line))
    assert stopped.code == 130, stopped
    return [child(folder, [*shlex.split(line.replace("lut.h5", "bad-lut.h5")), "--resume"])]


KILLED = f"{LONG} new.pt --set train_supernet.checkpoint_steps=5"
STOPPED = "scores if __import__('signal').raise_signal(2) is None else scores"
PROPOSE = f"{SEARCH} --search-strategy ./mine.py:Mine"
JUDGE = f"{SEARCH.replace(' --supernet supernet.pt', '')} --evaluator ./mine.py:Mine"

CASES = [
    Case("no such device", [f"{TRAIN} --accelerator cuda"], 2, ["there is: cpu"],
         env={"CUDA_VISIBLE_DEVICES": ""}, slow=True),
    Case("wrong devices", [f"{TRAIN} --accelerator abacus", f"{TRAIN} --devices 0", f"{TRAIN} --devices -1"], 2),
    Case("scaffold: names that are none", [f"scaffold search-space -- '{name}'" for name in NAMES], 2),
    Case("scaffold: a folder outside", [f"scaffold search-space mine --dir {to}" for to in ("../x", "/tmp")], 2),
    *(
        Case(f"a search strategy proposes {name}", [PROPOSE], 5, [what], component(STRATEGY, "PROPOSAL", value))
        for name, value, what in (
            ("an index too large", "[[9] * 6]", "not in the search space"),
            ("a vector too short", "[[0]]", "not in the search space"),
            ("fractions", "[[0.5] * 6]", "not in the search space"),
        )
    ),
    *(
        Case(f"images: a label outside the classes, {part}", [f"{TRAIN} --set dataflow.use=./mine.py:Mine"], 5,
             [f"a {images} image has label 10"], component(DATAFLOW, "PART", repr(part)))
        for part, images in (("train", "training"), ("valid", "validation"))
    ),
    Case(
        "a candidate runs out of memory",
        [JUDGE.replace("old.npy", "new.npy")],
        0,
        prepare=component(EVALUATOR, "FOUND", f"[{NONE} if i % 2 else s for i, s in enumerate(scores)]"),
        makes=["new.npy", "new.history.h5"],
    ),
    Case("every candidate runs out of memory", [JUDGE], 5, ["out of memory"],
         component(EVALUATOR, "FOUND", f"[{NONE} for _ in scores]")),
    Case("scores that are no numbers", [JUDGE], 5, ["the evaluator Mine scored"],
         component(EVALUATOR, "FOUND", "[Score(float('nan'), 1.0, 8) for _ in scores]")),
    Case("fewer scores than architectures", [JUDGE], 5, ["the evaluator Mine gave"],
         component(EVALUATOR, "FOUND", "scores[1:]")),
    Case("resumed with other settings", code=2, says=["learning_rate", "--force"],
         act=resumed("--set", "train_supernet.learning_rate=0.9"), slow=True),
    Case("resumed with another seed", code=2, says=["seed"], act=resumed("--seed", "7"), slow=True),
    Case("resumed with another lookup table", code=2, says=["inputs.lut"], act=searched_with_another_table,
         makes=["mine.py", "bad-lut.h5", "new.best.npy"], slow=True),
    Case("resumed under another version of torch", code=0, says=["torch 1.0 →"], act=resumed_under_another_torch,
         makes=["new.pt"], slow=True),
]  # fmt: skip
