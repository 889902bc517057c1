"""What the readers that are fuzzed begin with, and how it is spoilt."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.campaigns.fault_kit import ROOT, in_process
from tests.campaigns.fuzz_mutations import damaged, garbled, spoilt

PICTURES = ("p.png", "p.jpg", "p.gif", "p.tif", "p.bmp", "p.webp")
GOLDEN = ROOT / "tests/golden/v1"

TRAINING = "train-supernet -c run.yaml -o run.pt --set train_supernet.checkpoint_steps=3"


class Bug(Exception):
    """A command that ended with exit code 1."""


class Refused(Exception):
    """A command that ended with an exit code that it may end with."""


def called(folder: Path, *lines: str | list[str]) -> None:
    """Run command lines.

    Raises:
        Bug: one says that it is a bug.
        Refused: one ends with another exit code than 0.
    """
    codes = []
    for line in lines:
        done = in_process(folder, line.split() if isinstance(line, str) else line)
        if done.code == 1:
            raise Bug(f"{line}: {done.stderr}")
        codes.append(done.code)
    if any(codes):
        raise Refused


def bad(name: str) -> str:
    """The name under which a spoilt artifact is written."""
    return f"bad.{name}"


def bytes_of(name: str) -> Callable[[Path, random.Random], str]:
    """A file with damaged bytes."""

    def make(folder: Path, rng: random.Random) -> str:
        (folder / bad(name)).write_bytes(damaged((folder / name).read_bytes(), rng))
        return bad(name)

    return make


def built(name: str, change: Callable[[Path, Path, random.Random], None]) -> Callable[[Path, random.Random], str]:
    """An artifact made anew with something else in it."""

    def make(folder: Path, rng: random.Random) -> str:
        change(folder / name, folder / bad(name), rng)
        return bad(name)

    return make


def text_of(name: str) -> Callable[[Path, random.Random], str]:
    """A text file with other tokens, seldom other bytes."""

    def make(folder: Path, rng: random.Random) -> str:
        raw = (folder / name).read_bytes()
        other = damaged(raw, rng) if rng.random() < 0.2 else garbled(raw.decode(), rng).encode()
        (folder / bad(name)).write_bytes(other)
        return bad(name)

    return make


def json_of(name: str) -> Callable[[Path, random.Random], str]:
    """A JSON file with other values, seldom other bytes."""

    def make(folder: Path, rng: random.Random) -> str:
        raw = (folder / name).read_bytes()
        other = damaged(raw, rng) if rng.random() < 0.3 else json.dumps(spoilt(json.loads(raw), rng)).encode()
        (folder / bad(name)).write_bytes(other)
        return bad(name)

    return make


def yaml_of(name: str) -> Callable[[Path, random.Random], str]:
    """A YAML with other values and keys, seldom other tokens: few of those can be read as YAML."""
    tokens = text_of(name)

    def make(folder: Path, rng: random.Random) -> str:
        if rng.random() < 0.2:
            return tokens(folder, rng)
        value = spoilt(yaml.safe_load((folder / name).read_text()), rng)
        (folder / bad(name)).write_text(yaml.safe_dump(value, sort_keys=False))
        return bad(name)

    return make


def texts(*begin: str) -> Callable[[Path, random.Random], str]:
    """One of some texts, garbled."""
    return lambda folder, rng: garbled(rng.choice(begin), rng)


def prepare(folder: Path) -> None:
    """What the inputs begin with, beside a chain of artifacts."""
    import numpy as np
    from PIL import Image

    for name in ("arch.generator.pt", "compare.json", "export.json", "report.mistakes.h5"):
        shutil.copy(GOLDEN / name, folder / name)
    _interrupt(folder)
    (folder / "answer.json").write_text(in_process(folder, ["inspect", "--as", "nni", "arch.npy"]).stdout)
    (folder / "full.yaml").write_text(in_process(folder, ["init"]).stdout)
    table = {"".join(map(str, [i % 3, i % 2, 1])): {"mean_acc": i / 9, "test": [1, 2.5]} for i in range(9)}
    (folder / "table.json").write_text(json.dumps(table))
    _measured(folder)
    (folder / "pairs.txt").write_text("2 2\nann 1 2\nann 1 bob 2\nbob 1 2\nbob 2 ann 1\n")
    pixels = np.random.default_rng(0).integers(0, 255, (12, 10, 3), dtype=np.uint8)
    for part, names in (
        ("faces/train", "xy"),
        ("others/test", ("ann", "bob")),
        ("images/train", "ab"),
        ("images/test", "ab"),
    ):
        for name in names:
            (folder / part / name).mkdir(parents=True)
            for i in (1, 2, 3):
                Image.fromarray(pixels).save(folder / part / name / f"{name}_000{i}.png")
    for name in PICTURES:
        Image.fromarray(pixels).save(folder / name)
    shutil.make_archive(str(folder / "images"), "zip", folder / "images")


def _measured(folder: Path) -> None:
    """Measurements of the space's blocks, and tables of other projects."""
    from tests.cost.formats import test_hw_nas_bench, test_nni, test_ofa

    called(folder, "export-blocks -c run.yaml --networks 3 --no-onnx -o blocks")
    (folder / "blocks/manifest.json").rename(folder / "blocks.json")  # not a name that is found beside every table
    head, *lines = (folder / "blocks/measurements.csv").read_text().splitlines()
    filled = [line.removesuffix(",,") + f",{i / 8},ms" for i, line in enumerate(lines)]
    (folder / "measured.csv").write_text("\n".join([head, *filled]))
    rows = [dict(zip(head.split(","), line.split(","), strict=False)) for line in filled if ",," in line]
    values = [{"id": row["id"], "value": float(row["value"]), "unit": "ms"} for row in rows if row["id"]]
    (folder / "measured.json").write_text(json.dumps(values))
    (folder / "hw-nas-bench.json").write_text(json.dumps({"pixel3_latency": test_hw_nas_bench.SMALL}))
    (folder / "ofa.yaml").write_text(test_ofa.table())
    (folder / "nni.txt").write_text(test_nni.LINES)


def _interrupt(folder: Path) -> None:
    """A training that ended without its result: its checkpoint."""
    from nascli.run import Run

    kept = folder / "run.pt.run/last.pt"
    finish = Run.finish
    try:
        Run.finish = lambda run: None if kept.exists() else finish(run)  # type: ignore[method-assign]
        called(folder, TRAINING)
    finally:
        Run.finish = finish  # type: ignore[method-assign]
    shutil.copy(kept, folder / "checkpoint.pt")
    shutil.rmtree(folder / "run.pt.run")
    (folder / "run.pt").unlink()


def one_of(*makes: Callable[[Path, random.Random], str]) -> Callable[[Path, random.Random], str]:
    """Any of some ways to spoil."""
    return lambda folder, rng: rng.choice(makes)(folder, rng)
