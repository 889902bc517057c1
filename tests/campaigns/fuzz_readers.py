"""The readers that are fuzzed: how what is wrong is read."""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.campaigns.fuzz_inputs import (
    PICTURES,
    TRAINING,
    Bug,
    Refused,
    built,
    bytes_of,
    called,
    json_of,
    one_of,
    text_of,
    texts,
    yaml_of,
)
from tests.campaigns.fuzz_mutations import with_content, with_header

PARTS = (
    "lut.h5",
    "supernet.pt",
    "arch.npy",
    "arch.history.h5",
    "model.pt",
    "report.json",
    "report.mistakes.h5",
    "checkpoint.pt",
    "arch.generator.pt",
    "compare.json",
    "export.json",
)

SMALL = "-c run.yaml --force --set search.max_evaluations=2 --set search.search_strategy=random"


@dataclass(frozen=True)
class Reader:
    """One way into nascli.

    `make(folder, rng)` writes or gives what is wrong; `read(folder, made)` hands it to nascli. What comes out is
    nothing or a NascliError; a command's exit code is not 1.
    """

    name: str
    make: Callable[[Path, random.Random], Any]
    read: Callable[[Path, Any], object]


def opened(folder: Path, name: str) -> None:
    """An artifact read whole."""
    from nascli.commands.opening import open_any

    artifact = open_any(folder / name)
    artifact.check_file()
    _ = artifact.payload


def inspected(folder: Path, name: str) -> None:
    """Everything that `inspect` shows."""
    called(folder, f"inspect {name}", f"inspect --lineage {name}", f"inspect {name} --json", f"inspect --check {name}")


def reported(folder: Path, name: str) -> None:
    """As a page."""
    called(folder, f"report {name} lut.h5 supernet.pt arch.npy model.pt report.json -o new.html --force")


def compared(folder: Path, name: str) -> None:
    """Beside the whole one, beside the table, and as another tool's."""
    called(folder, f"inspect {name} {name.removeprefix('bad.')}", f"inspect {name} lut.h5", f"inspect --as nni {name}")


def staged(folder: Path, name: str) -> None:
    """The stage that takes it."""
    line = {
        "bad.lut.h5": f"search {SMALL} --lut {name} --supernet supernet.pt -o new.npy",
        "bad.supernet.pt": f"search {SMALL} --supernet {name} -o new.npy",
        "bad.arch.npy": f"retrain -c run.yaml --arch {name} -o new.pt --dry-run --force",
        "bad.model.pt": f"evaluate -c run.yaml --model {name} -o new.json --force",
        "bad.arch.generator.pt": f"search {SMALL} --generator {name} -o new.npy",
        "bad.compare.json": "inspect .",
        "bad.report.json": "inspect .",
        "bad.arch.history.h5": "inspect .",
    }.get(name)
    if line:
        called(folder, line)


def resumed(folder: Path, name: str) -> None:
    """A run that goes on from it."""
    (folder / "run.pt.run").mkdir(exist_ok=True)
    shutil.move(folder / name, folder / "run.pt.run/last.pt")
    (folder / "run.pt").unlink(missing_ok=True)
    called(folder, f"{TRAINING} --resume")


def configured(line: str) -> Callable[[Path, str], None]:
    """Read by a stage, without running it."""
    return lambda folder, name: called(folder, f"{line} -c {name} --dry-run")


def assigned(folder: Path, text: str) -> None:
    """Behind `--set`."""
    called(folder, ["train-supernet", "-c", "run.yaml", "-o", "new.pt", "--dry-run", "--set", text])


def constraint(folder: Path, text: str) -> None:
    """A constraint, and the one that it is written as."""
    from nascli.cost.constraint import Constraint

    found = Constraint.parse(text)
    if Constraint.parse(str(found)) != found:
        raise Bug(f"{text!r} is read back as another")


def written(folder: Path, text: str) -> None:
    """An architecture by hand, adopted."""
    from nascli.artifacts.architecture import Architecture
    from nascli.artifacts.base import read_header

    Architecture.written(text).adopt(read_header(folder / "arch.npy").space)


def answered(folder: Path, name: str) -> None:
    """An answer of a tuner, adopted and inspected."""
    from nascli.artifacts.architecture import Architecture
    from nascli.artifacts.base import read_header

    with contextlib.suppress(Refused):
        called(folder, f"inspect {name}")
    Architecture.open(folder / name).adopt(read_header(folder / "arch.npy").space)


def benchmark(folder: Path, name: str) -> None:
    """A tabular benchmark, all of it looked up."""
    import numpy as np

    from nascli.training_agent.table_evaluator import TableEvaluator

    table = TableEvaluator(TableEvaluator.Config(path=folder / name, score="mean_acc"))
    table.load()
    for arch in table.architectures():
        table.evaluate(np.array([arch], dtype=np.int64))


def pairs(folder: Path, name: str) -> None:
    """Pairs of faces to verify."""
    from nascli.dataflow.faces import Faces

    config = Faces.Config(path=folder / "faces", test_path=folder / "others", pairs=folder / name, size=8)
    Faces(config).pairs()


IMPORT = "import-measurements --metric latency_ms --unit ms --fill nearest -o new.h5 --force"


def imported(folder: Path, name: str) -> None:
    """What another machine measured."""
    called(folder, f"{IMPORT} {name} --manifest blocks.json")


def manifested(folder: Path, name: str) -> None:
    """What was to be measured."""
    called(folder, f"{IMPORT} measured.csv --manifest {name}")


def foreign(folder: Path, name: str) -> None:
    """The table of another project."""
    form = name.split(".")[1]
    space = "--search-space fbnet_s --set search_space.strides=cifar --set search_space.classes=100"
    called(folder, f"{IMPORT} {name} --format {form} --device pixel3 {space}")


def picture(folder: Path, name: str) -> None:
    """A picture of a training set, decoded to the input's channels."""
    from nascli.dataflow.files import FolderTree
    from nascli.dataflow.images import as_channels, centre, open_picture

    for channels in (1, 3):
        centre(as_channels(open_picture(FolderTree(folder), name), channels, name), 8)


def archive(folder: Path, name: str) -> None:
    """A data set in a zip archive, described and loaded."""
    from nascli.dataflow.image_folder import ImageFolder

    data = ImageFolder(ImageFolder.Config(path=folder / name, size=8))
    source = data.source("train")
    if source is not None:
        source.load()


ASSIGNMENTS = ("epochs=3", "dataflow.batch_size=64", "search_space={use: tiny, width: 4}", "constraint=[macs<=3e5]",
               "dataflow.augment.flip=true", "train_supernet.learning_rate=1e-3", "seed=7")  # fmt: skip


def _artifact_readers() -> Iterator[Reader]:
    for name in PARTS:
        spoilt_ways = built(name, with_header), built(name, with_content)
        read = resumed if name == "checkpoint.pt" else staged
        yield Reader(f"{name}: bytes", bytes_of(name), opened)
        yield Reader(f"{name}: header", spoilt_ways[0], opened)
        yield Reader(f"{name}: contents", spoilt_ways[1], opened)
        yield Reader(f"{name}: inspected", one_of(*spoilt_ways), inspected)
        yield Reader(f"{name}: beside others", one_of(*spoilt_ways), compared)
        yield Reader(f"{name}: reported", one_of(*spoilt_ways), reported)
        yield Reader(f"{name}: in a stage", one_of(*spoilt_ways), read)


READERS = (
    *_artifact_readers(),
    Reader("YAML of train-supernet", yaml_of("run.yaml"), configured("train-supernet -o new.pt")),
    Reader("YAML of search", yaml_of("run.yaml"), configured("search --lut lut.h5 --supernet supernet.pt -o new.npy")),
    Reader("YAML of init", yaml_of("full.yaml"), configured("train-supernet -o new.pt")),
    Reader("--set", texts(*ASSIGNMENTS), assigned),
    Reader("constraint", texts("macs<=3e5", "latency_ms@pixel3>=1.5", "params<=30000.25"), constraint),
    Reader("architecture by hand", texts("0,2,1,0,1,2", "1,1,1,1,1,1"), written),
    Reader("architecture in JSON", json_of("answer.json"), answered),
    Reader("tabular benchmark", json_of("table.json"), benchmark),
    Reader("measurements in CSV", text_of("measured.csv"), imported),
    Reader("measurements in JSON", json_of("measured.json"), imported),
    Reader("manifest of blocks", json_of("blocks.json"), manifested),
    Reader("table of HW-NAS-Bench", json_of("hw-nas-bench.json"), foreign),
    Reader("table of once-for-all", text_of("ofa.yaml"), foreign),
    Reader("table of NNI", text_of("nni.txt"), foreign),
    Reader("pairs of faces", text_of("pairs.txt"), pairs),
    Reader("picture", one_of(*map(bytes_of, PICTURES)), picture),
    Reader("zip of pictures", bytes_of("images.zip"), archive),
)
