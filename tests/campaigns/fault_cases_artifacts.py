"""Artifacts that are not there, damaged, of another kind, of another space or data, or from the future."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.campaigns.fault_kit import EVALUATE, RETRAIN, ROOT, SEARCH, Case, Tried

FILES = ("lut.h5", "supernet.pt", "arch.npy", "arch.history.h5", "model.pt", "report.json")
GOLDEN = ROOT / "tests/golden/v1"
READERS = {  # file → the command line that reads BAD in its place
    "lut.h5": SEARCH.replace("lut.h5", "BAD"),
    "supernet.pt": SEARCH.replace("supernet.pt", "BAD"),
    "arch.npy": RETRAIN.replace("arch.npy", "BAD"),
    "model.pt": EVALUATE.replace("model.pt", "BAD"),
}


def readers(bad: Callable[[str], str], *names: str) -> list[str]:
    """The stages, and `inspect --check`, on `bad(name)` in place of each file."""
    chosen = names or FILES
    stages = [READERS[name].replace("BAD", bad(name)) for name in chosen if name in READERS]
    return stages + [f"inspect --check {bad(name)}" for name in chosen]


def named(prefix: str) -> Callable[[str], str]:
    """File → the same with a prefix."""
    return lambda name: f"{prefix}-{name}"


def each(prefix: str, change: Callable[[bytes], bytes], *names: str) -> Callable[[Path], None]:
    """Writes PREFIX-FILE, the bytes of FILE changed."""

    def prepare(folder: Path) -> None:
        for name in names or FILES:
            (folder / f"{prefix}-{name}").write_bytes(change((folder / name).read_bytes()))

    return prepare


def cut_thrice(folder: Path) -> None:
    """Each file at a quarter, at a half and without its last 100 bytes (a zip's directory is at the end)."""
    for name in FILES:
        raw = (folder / name).read_bytes()
        for i, length in enumerate((len(raw) // 4, len(raw) // 2, len(raw) - 100)):
            (folder / f"cut{i}-{name}").write_bytes(raw[:length])


def cut_everywhere(folder: Path) -> list[Tried]:
    """The smallest artifacts, cut at every 64th byte: nothing but ArtifactError, and no memory beyond that of torch."""
    from nascli.commands.opening import open_any
    from nascli.errors import ArtifactError

    tried = []
    for path in sorted(GOLDEN.iterdir()):
        raw, cut = path.read_bytes(), folder / f"cut{path.suffix}"
        for length in range(0, len(raw), 64):
            cut.write_bytes(raw[:length])
            try:
                _ = open_any(cut).payload
                tried.append(Tried(0, "", f"read, though cut at byte {length}: {path.name}"))
            except ArtifactError as error:
                tried.append(Tried(error.exit_code, "", f"error: {error.what}\n hint: {error.hint}"))
        cut.unlink()
    return tried


def flip_in_contents(folder: Path) -> None:
    """One bit of a tensor, a table, a vector, a report; in the zip without and with its checksum made to fit."""
    macs_of_layer = struct.pack("<5q", 0, 8704, 17408, 16896, 33792)
    for name, needle, offset in (("lut.h5", macs_of_layer, 9), ("arch.npy", b"\n", 1)):
        raw = bytearray((folder / name).read_bytes())
        raw[raw.index(needle) + offset] ^= 1
        (folder / f"flipped-{name}").write_bytes(raw)
    for name in ("supernet.pt", "model.pt"):
        _flip_tensor(folder / name, folder / f"flipped-{name}", folder / f"rehashed-{name}")
    text = (folder / "report.json").read_text()
    at = text.rindex('"top1": 0.') + 10
    (folder / "flipped-report.json").write_text(text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :])


def _flip_tensor(source: Path, flipped: Path, rehashed: Path) -> None:
    with zipfile.ZipFile(source) as archive:
        records = {name: bytearray(archive.read(name)) for name in archive.namelist()}
    largest = max((name for name in records if "/data/" in name), key=lambda name: len(records[name]))
    raw = source.read_bytes()
    at = raw.index(records[largest]) + len(records[largest]) // 2
    flipped.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
    records[largest][len(records[largest]) // 2] ^= 1
    with zipfile.ZipFile(rehashed, "w") as archive:
        for name, record in records.items():
            archive.writestr(name, bytes(record))


def rewritten(prefix: str, change: Callable[[Any], dict[str, Any]], *names: str) -> Callable[[Path], None]:
    """Writes PREFIX-FILE: the same payload under a header with other fields, its digest made to fit."""

    def prepare(folder: Path) -> None:
        from nascli.commands.opening import open_any

        for name in names or FILES:
            artifact = open_any(folder / name)
            _ = artifact.payload
            artifact.header = artifact.header.model_copy(update=change(artifact.header))
            artifact.write(folder / f"{prefix}-{name}")

    return prepare


def other_space(header: Any) -> dict[str, Any]:
    """The tiny space in another width: equal decisions, another network."""
    from nascli.component import resolve
    from nascli.search_space.base import record_of

    reference = resolve("search_space", {"use": "tiny", "width": 8, "input_shape": (1, 8, 8)})
    return {"space": record_of(reference, reference.build().space)}


def other_data(header: Any) -> dict[str, Any]:
    """Data of another fingerprint."""
    return {"data": header.data.model_copy(update={"name": "others", "fingerprint": "0" * 64})}


def newer(header: Any) -> dict[str, Any]:
    """A schema version that nobody knows yet."""
    return {"schema_version": 99, "nascli_version": "99.0"}


def misshapen(folder: Path) -> None:
    """Weights of another shape, and a table whose factor is over no decision, under digests that fit."""
    import numpy as np
    import torch

    from nascli.artifacts.base import FORMATS
    from nascli.commands.opening import open_any

    for name in ("supernet.pt", "model.pt", "lut.h5"):
        artifact = open_any(folder / name)
        content = artifact.pack(artifact.payload)
        if name == "lut.h5":
            content["macs/0000/decisions"] = np.array([0.5])
        else:
            content["state_dict"][next(iter(content["state_dict"]))] = torch.zeros(3)
        form = FORMATS[Path(name).suffix]
        form.write(folder / f"odd-{name}", artifact.header.sealed(form.manifest(content)), content)


def newer_checkpoint(folder: Path) -> None:
    """An unfinished run of a later nascli."""
    from nascli.artifacts.base import read_header
    from nascli.artifacts.checkpoint import Checkpoint

    checkpoint = Checkpoint.open(GOLDEN / "checkpoint.pt")
    _ = checkpoint.payload
    config = read_header(folder / "supernet.pt").config
    checkpoint.header = checkpoint.header.model_copy(update={"schema_version": 99, "config": config})
    (folder / "new.pt.run").mkdir()
    checkpoint.write(folder / "new.pt.run/last.pt")


def foreign(folder: Path) -> None:
    """Text, pictures and folders named like artifacts."""
    for name in FILES:
        (folder / f"text-{name}").write_text("PK, or was it HDF? [bold]no[/bold]\n" * 9)
        (folder / f"folder-{name}").mkdir()


RETRAIN_INIT = RETRAIN + " --init supernet.pt"
OF_DATA = ("supernet.pt", "model.pt")
PAIRED = [
    SEARCH.replace("lut.h5", "other-lut.h5"),
    SEARCH.replace("supernet.pt", "other-supernet.pt"),
    RETRAIN.replace("arch.npy", "other-arch.npy"),
    RETRAIN_INIT.replace("arch.npy", "other-arch.npy"),
    RETRAIN_INIT.replace("supernet.pt", "other-supernet.pt"),
    EVALUATE.replace("model.pt", "other-model.pt"),
    EVALUATE + " --lut other-lut.h5",
]

CASES = [
    Case(
        "artifact missing", [*readers(named("no")), RETRAIN + " --init no.pt", EVALUATE + " --lut no.h5"], says=["no"]
    ),
    Case("artifact missing, hint names the stage", [SEARCH.replace("lut.h5", "no.h5")], says=["nascli build-lut"]),
    Case("artifact empty", readers(named("empty")), prepare=each("empty", lambda raw: b""), says=["empty-"]),
    Case("artifact is text", readers(named("text")), prepare=foreign, says=["text-"]),
    Case("artifact is a folder", readers(named("folder"), *READERS)[:4], prepare=foreign, says=["is a folder"]),
    Case("cut at every 64th byte", act=cut_everywhere, slow=True),  # in the default tests: artifacts/test_broken.py
    *(
        Case(f"cut {where}", readers(named(f"cut{i}")), prepare=cut_thrice, says=[f"cut{i}-"])
        for i, where in enumerate(("at a quarter", "at a half", "100 bytes before its end"))
    ),
    Case(
        "wrong kind",
        [
            SEARCH.replace("lut.h5", "arch.history.h5"),
            SEARCH.replace("lut.h5", "supernet.pt"),
            SEARCH.replace("supernet.pt", "model.pt"),
            RETRAIN.replace("arch.npy", "lut.h5"),
            RETRAIN + " --init model.pt",
            EVALUATE.replace("model.pt", "supernet.pt"),
            EVALUATE + " --lut arch.history.h5",
        ],
        says=["expected a", "make one: nascli"],
    ),
    Case(
        "other search space",
        PAIRED,
        prepare=rewritten("other", other_space, "lut.h5", "supernet.pt", "arch.npy", "model.pt"),
        says=["of the search space 'Tiny'"],
    ),
    Case(
        "other data",
        [
            SEARCH.replace("supernet.pt", "other-supernet.pt"),
            RETRAIN_INIT.replace("supernet.pt", "other-supernet.pt"),
            EVALUATE.replace("model.pt", "other-model.pt"),
            SEARCH + " --dry-run --set dataflow.split_seed=7",
        ],
        prepare=rewritten("other", other_data, *OF_DATA),
        says=["'digits'"],
    ),
    Case(
        "contents that no stage writes, digest fits",
        [
            SEARCH.replace("supernet.pt", "odd-supernet.pt"),
            SEARCH.replace("lut.h5", "odd-lut.h5"),
            "inspect odd-lut.h5",
            RETRAIN + " --init odd-supernet.pt --set search_space.width=4",
            RETRAIN + " --teacher odd-model.pt",
            EVALUATE.replace("model.pt", "odd-model.pt"),
        ],
        prepare=misshapen,
        says=["odd-"],
    ),
    Case("newer version", readers(named("newer")), prepare=rewritten("newer", newer), says=["schema version 99"]),
    Case(
        "newer checkpoint",
        ["train-supernet -c run.yaml -o new.pt --resume"],
        prepare=newer_checkpoint,
        says=["schema version 99"],
    ),
    Case(
        "one bit flipped in the contents",
        readers(named("flipped"), "lut.h5", "supernet.pt", "arch.npy", "model.pt", "report.json"),
        prepare=flip_in_contents,
        says=["flipped-"],
    ),
    Case(
        "one bit flipped, checksum fits",
        readers(named("rehashed"), "supernet.pt", "model.pt"),
        prepare=flip_in_contents,
        says=["digest"],
    ),
]
