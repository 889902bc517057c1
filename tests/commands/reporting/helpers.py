"""A small pipeline of artifacts made by hand, and pages as a browser would take them apart."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from nascli.artifacts.architecture import Architecture, Choice
from nascli.artifacts.base import Artifact
from nascli.artifacts.comparison import Comparison, Runs
from nascli.artifacts.header import DataRecord, Header
from nascli.artifacts.history import History, Trials
from nascli.artifacts.lookup_table import Column, Evidence, LookupTable, Table
from nascli.artifacts.mistakes import Mistaken, Mistakes
from nascli.artifacts.report import Report
from nascli.artifacts.reported import Reported
from nascli.artifacts.supernet import SupernetCheckpoint, TrainedSupernet
from nascli.commands.reporting.material import Material, gather
from nascli.commands.reporting.page import page
from nascli.space import Decision, Space
from tests.artifacts.helpers import record

VOID = {"meta", "img", "br", "hr", "input", "link", "wbr"}
HOSTILE = "</b><script>alert('1')</script><img src=http://evil.example/x>\"' & $\\frac{$ \\g<1> _"

A = TypeVar("A", bound=Artifact[Any])


class Seen(HTMLParser):
    """The parts of a page: `tables` title → rows of texts, `titles` of cells, `links`, `tags`, `sections`, `text`."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.exact: dict[str, list[str]] = {}
        self.links: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.sections: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.images: list[dict[str, str]] = []
        self._table, self._cell = "", False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags[tag] += 1
        self.links += [value for name, value in given.items() if name in ("src", "href", "xlink:href", "action")]
        self.ids.update([given["id"]] if "id" in given else [])
        if tag not in VOID:
            self.open.append(tag)
        if tag == "section":
            self.sections.append(given["id"])
        elif tag == "img":
            self.images.append(given)
        elif tag == "table":
            self._table = given["aria-label"]
            self.tables[self._table] = []
            self.exact[self._table] = []
        elif tag == "tr":
            self.tables[self._table].append([])
        elif tag in ("td", "th"):
            self.tables[self._table][-1].append("")
            self._cell = True
            self.exact[self._table] += [given["title"]] if "title" in given else []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._cell:
            self.tables[self._table][-1][-1] += data

    def table(self, beginning: str) -> list[list[str]]:
        """The rows of the one table whose title begins so, the head left out."""
        (found,) = (rows for title, rows in self.tables.items() if title.startswith(beginning))
        return found[1:]


def shown(*paths: Path) -> Seen:
    """The page of what these paths name."""
    return Seen(page(gather(paths), "A title").html)


def of(*artifacts: Artifact[Any]) -> Seen:
    """The page of artifacts that lie in no file."""
    return Seen(page(Material([artifact.sealed() for artifact in artifacts]), "A title").html)


def space(name: str = "three", candidate: str = "wide") -> Space:
    decisions = tuple(Decision(f"layer_{i}", ("skip", "conv", candidate)) for i in range(3))
    return Space(name, decisions, (1, 8, 8), 3)


def data(name: str = "points", classes: Sequence[str] = ("a", "b", "c")) -> DataRecord:
    sizes = {"train": 12, "test": 8}
    return DataRecord(
        name=name, classes=tuple(classes), image_shape=(1, 8, 8), sizes=sizes, split={}, fingerprint="f" * 64
    )


def complete(artifact: A, config: Mapping[str, Any], **inputs: Header) -> A:
    """With settings, inputs and a command, as a run completes it."""
    facts = {"config": dict(config), "inputs": {role: header.as_input() for role, header in inputs.items()}}
    facts["provenance"] = {"command": f"/bin/nascli {config.get('stage', 'stage')} -o x", "host": "here"}
    artifact.header = artifact.header.model_copy(update=facts)
    return artifact


def lookup_table(known: Space) -> LookupTable:
    """macs exact; latency_ms with nine measured networks, each 10 % dearer than the table says."""
    factors = tuple(((i,), np.array([0, 1000, 20000 * (i + 1)])) for i in range(3))
    slow = tuple(((i,), np.array([0.0, 1.0, 2.0])) for i in range(3))
    archs = np.array([[i % 3, i // 3, 1] for i in range(9)], dtype=np.int64)
    networks = np.tile((archs.sum(axis=1) + 0.5) * 1.1, (3, 1))
    evidence = Evidence(("conv", "wide"), np.ones((3, 2)), archs, networks)
    latency = Column(
        "ms", 0.5, slow, False, 0.1, {"rounds": 3, "statistic": "median", "correction": {"networks": 3}}, evidence
    )
    return LookupTable(Table({"macs": Column("MAC", 7, factors, True), "latency_ms": latency}), space=record(known))


ROUNDS = [{"step": 10 * (i + 1), "mean": 0.25 * (i + 1), "spread": 0.1, "tau": [None, 0.5, 0.875][i]} for i in range(3)]


def supernet(known: Space, source: DataRecord) -> SupernetCheckpoint:
    summary = {"steps": 30, "epochs": 3, "panel": {"0,0,1": 0.75, "1,1,1": 0.5}, "panel_rounds": ROUNDS}
    return SupernetCheckpoint(TrainedSupernet({}, {}, {}), space=record(known), data=source, summary=summary)


def history(known: Space, source: DataRecord) -> History:
    """Four candidates, the last of which failed; the second is the best."""
    archs = np.array([[0, 1, 0], [1, 1, 1], [2, 1, 1], [2, 2, 2]], dtype=np.int64)
    accuracy, costs = np.array([0.25, 0.75, 0.5, np.nan]), {"macs": np.array([1007, 3007, 22007, 120007])}
    trials = Trials(archs, accuracy, 1 - accuracy, np.full(4, 8), costs, {3: "the loss is nan"})
    return History(trials, space=record(known), data=source, summary={"constraints": ["macs<=30000"]})


def report(source: DataRecord, known: Space) -> Report:
    matrix = [[3, 1, 0], [0, 2, 0], [0, 0, 2]]
    wrong = {"image": 5, "true": source.classes[0], "predicted": source.classes[1]}
    values = {"images": 8, "top1": 0.875, "architecture": [1, 1, 1], "macs": 3007, "confusion_matrix": matrix}
    values |= {"mistakes": [wrong | {"probability": 0.9, "true_probability": 0.0625}]}
    told = {"top1": "share of test images, 0 to 1"}
    evaluation = Reported(values, {"latency_ms": 1.25})
    return Report(evaluation, space=record(known), data=source, conventions=told)


def comparison(known: Space, strategy: str = "evolution") -> Comparison:
    runs: list[dict[str, Any]] = []
    for name, seed, curve in ((strategy, 0, [0.5, 0.75]), (strategy, 1, [0.5, 1.0]), ("random", 0, [None, 0.5])):
        about = {"run": f"{name}-seed{seed}", "strategy": name, "supernet": "", "seed": seed, "architecture": [0, 0, 0]}
        runs.append(about | {"score": curve[-1], "evaluations": 2, "best_so_far": curve})
    row = {"strategy": strategy, "supernet": "", "seeds": 2, "score": 0.875, "interval": [0.75, 1.0], "rank": None}
    standing = row | {"advantage": 0.375, "advantage_interval": None, "evaluations": 2.0}
    return Comparison(Runs(runs, [standing], {}), space=record(known))


def pipeline(folder: Path, known: Space | None = None, source: DataRecord | None = None) -> Path:
    """The files of a whole search, with side files and a log."""
    known, source = known or space(), source or data()
    lut = complete(lookup_table(known), {"stage": "build-lut", "meters": ["macs"]}).write(folder / "lut.h5")
    weights = complete(supernet(known, source), {"stage": "train-supernet", "epochs": 3}).write(folder / "supernet.pt")
    searched = {"stage": "search", "max_evaluations": 4}
    both = {"lut": lut.header, "supernet": weights.header}
    complete(history(known, source), searched, **both).write(folder / "arch.history.h5")
    summary = {"accuracy": 0.75, "constraints": ["macs<=30000"], "costs": {"macs": 3007}}
    chosen = Architecture(Choice((1, 1, 1)), space=record(known), data=source, summary=summary)
    arch = complete(chosen, searched, **both).write(folder / "arch.npy")
    judged = {"stage": "evaluate", "precision": "32"}
    complete(report(source, known), judged, arch=arch.header).write(folder / "report.json")
    pictures = Mistaken(np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8), np.array([5]))
    wrong = Mistakes(pictures, space=record(known), data=source)
    complete(wrong, judged, arch=arch.header).write(folder / "report.mistakes.h5")
    log(folder / "supernet.pt", [{"event": "start", "step": 0}, *(line(step) for step in (10, 20, 30))])
    return folder


def line(step: int) -> dict[str, Any]:
    """The log's line of a step."""
    return {"event": "train", "step": step, "loss": 3.0 - step / 20, "accuracy": step / 40, "lr": 0.1}


def log(path: Path, lines: Sequence[Mapping[str, Any] | str]) -> None:
    """The log beside an artifact."""
    run = path.with_name(f"{path.name}.run")
    run.mkdir(exist_ok=True)
    texts = [text if isinstance(text, str) else json.dumps(text) for text in lines]
    (run / "log.jsonl").write_text("\n".join(texts) + "\n")
