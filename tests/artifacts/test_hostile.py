"""Files that were made to do harm: nothing in them is run, nothing outside them is read."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.base import Artifact
from nascli.artifacts.formats import MAX_CONTENT_BYTES, MAX_HEADER_BYTES
from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.model import Model
from nascli.artifacts.report import Report
from nascli.errors import ArtifactError

from .helpers import architecture, lookup_table, model, npy, with_h5, with_pickle


class Trap:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def refused(kind: type[Artifact[Any]], path: Path, expected: str | None = None) -> None:
    with pytest.raises(ArtifactError, match=expected):
        _ = kind.open(path).payload


# --- pickles ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def sprung(tmp_path: Path) -> Path:
    """The file that a trap makes when it is sprung."""
    return tmp_path / "sprung"


def test_the_trap_works(sprung: Path) -> None:
    pickle.loads(pickle.dumps(Trap(sprung)))
    assert sprung.exists()


@pytest.fixture
def trapped(tmp_path: Path, sprung: Path) -> Path:
    """A model whose pickle is a trap, with hashes that fit."""
    source = model().write(tmp_path / "source.pt").path
    return with_pickle(Path(source or ""), tmp_path / "model.pt", pickle.dumps(Trap(sprung), protocol=2))


def test_a_pickle_in_a_model_runs_nothing(trapped: Path, sprung: Path) -> None:
    Model.open(trapped)
    refused(Model, trapped, "cannot be read")
    assert not sprung.exists()


@pytest.mark.parametrize("variable", ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_WEIGHTS_ONLY_LOAD"])
def test_no_variable_makes_a_pickle_run(trapped: Path, sprung: Path, variable: str) -> None:
    code = f"""
from pathlib import Path
from nascli.artifacts.model import Model
Model.open(Path({str(trapped)!r})).payload
"""
    environment = {**os.environ, variable: "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "ArtifactError" in done.stderr
    assert not sprung.exists()


def test_a_changed_pickle_is_refused_before_torch_sees_it(tmp_path: Path, sprung: Path) -> None:
    source = Path(model().write(tmp_path / "source.pt").path or "")
    path = with_pickle(source, tmp_path / "model.pt", pickle.dumps(Trap(sprung), protocol=2), fitting=False)
    refused(Model, path, "changed after it was written")
    assert not sprung.exists()


@pytest.mark.parametrize("place", ["first", "second", "alone"])
def test_a_pickle_in_an_architecture_runs_nothing(tmp_path: Path, sprung: Path, place: str) -> None:
    trap, vector = np.array([Trap(sprung)], dtype=object), np.zeros(3, dtype=np.int64)
    pieces = {"first": (trap, vector), "second": (vector, trap), "alone": (trap,)}[place]
    (tmp_path / "arch.npy").write_bytes(npy(*pieces, allow_pickle=True))
    refused(Architecture, tmp_path / "arch.npy", "holds objects")
    assert not sprung.exists()


def test_a_bare_pickle_in_place_of_an_array_runs_nothing(tmp_path: Path, sprung: Path) -> None:
    (tmp_path / "arch.npy").write_bytes(pickle.dumps(Trap(sprung)))
    refused(Architecture, tmp_path / "arch.npy", "cannot be read")
    assert not sprung.exists()


# --- sizes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["(9999999999,)", "(99999, 99999, 99999, 99999)", "(-1,)"])
def test_an_array_that_declares_more_than_it_holds_is_refused(tmp_path: Path, shape: str) -> None:
    raw = npy(np.zeros(3, dtype=np.int64))
    fields = f"{{'descr': '<i8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    (tmp_path / "arch.npy").write_bytes(raw[:10] + fields + raw[128:])
    refused(Architecture, tmp_path / "arch.npy")


def test_a_report_larger_than_any_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "report.json").open("wb") as stream:
        stream.truncate(MAX_HEADER_BYTES + 1)
    refused(Report, tmp_path / "report.json", "too many for a report")


def test_a_header_that_unpacks_to_more_than_any_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/nascli.json", b" " * (MAX_HEADER_BYTES + 1))
    refused(Model, tmp_path / "model.pt", "its header is too large")


# --- HDF5 ------------------------------------------------------------------------------------------------------------


def external_link(file: h5py.File) -> None:
    file["macs/secret"] = h5py.ExternalLink("/etc/hostname", "/")


def soft_link(file: h5py.File) -> None:
    file["macs/again"] = h5py.SoftLink("/macs/base")


def soft_link_to_nothing(file: h5py.File) -> None:
    file["dangling"] = h5py.SoftLink("/nowhere")


def linked_base(file: h5py.File) -> None:
    del file["macs/base"]
    file["macs/base"] = h5py.ExternalLink("other.h5", "/base")


def circle(file: h5py.File) -> None:
    file["macs/round"] = file["macs"]


def replaced(name: str, make: Callable[[h5py.File], Any]) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        make(file)

    return change


def external_storage(file: h5py.File) -> None:
    file.create_dataset("macs/base", (1,), "i8", external=[("/etc/hostname", 0, 8)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((3,), "i8")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", (3,))
    file.create_virtual_dataset("macs/base", layout)


def objects(file: h5py.File) -> None:
    file.create_dataset("macs/base", data=["text"], dtype=h5py.string_dtype())


def references(file: h5py.File) -> None:
    file.create_dataset("macs/base", data=file.ref, dtype=h5py.ref_dtype)


def huge(file: h5py.File) -> None:
    file.create_dataset("macs/base", (MAX_CONTENT_BYTES // 8 + 1,), "i8", chunks=(1024,), compression="gzip")


def group(file: h5py.File) -> None:
    file.create_group("macs/base")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (external_link, "'secret' is a link .ExternalLink."),
        (soft_link, "'again' is a link .SoftLink."),
        (soft_link_to_nothing, "'dangling' is a link"),
        (linked_base, "'base' is a link"),
        (circle, "cannot be read"),
        (replaced("macs/base", external_storage), "virtual, external or no plain numbers"),
        (replaced("macs/base", virtual), "virtual, external or no plain numbers"),
        (replaced("macs/base", objects), "no plain numbers"),
        (replaced("macs/base", references), "no plain numbers"),
        (replaced("macs/base", huge), "declares 21474836.. bytes"),
        (replaced("macs/base", group), "'macs/base' is missing"),
        (replaced("macs/base", lambda file: None), "'macs/base' is missing"),
        (replaced("header", lambda file: None), "no header"),
        (replaced("header", lambda file: file.create_dataset("header", (2**40,), "u1", chunks=(64,))), "declares"),
        (replaced("header", lambda file: file.create_group("header")), "'header' is missing"),
    ],
)
def test_tables_that_reach_outside_or_hold_too_much_are_refused(
    tmp_path: Path, change: Callable[[h5py.File], None], expected: str
) -> None:
    source = lookup_table().write(tmp_path / "source.h5").path
    path = with_h5(Path(source or ""), tmp_path / "lut.h5", change)
    refused(LookupTable, path, expected)


def test_the_copy_that_nothing_was_done_to_is_read(tmp_path: Path) -> None:
    source = lookup_table().write(tmp_path / "source.h5").path
    assert LookupTable.open(with_h5(Path(source or ""), tmp_path / "lut.h5", lambda file: None)).payload.columns


def test_what_stands_beside_the_listed_contents_is_not_read(tmp_path: Path) -> None:
    source = lookup_table().write(tmp_path / "source.h5").path
    path = with_h5(Path(source or ""), tmp_path / "lut.h5", lambda file: file.create_dataset("extra", (9,), "f4"))
    assert set(LookupTable.open(path).payload.columns) == {"macs", "latency_ms"}


def test_a_symbolic_link_to_an_artifact_is_followed(tmp_path: Path) -> None:
    architecture().write(tmp_path / "arch.npy")
    (tmp_path / "link.npy").symlink_to(tmp_path / "arch.npy")
    assert Architecture.open(tmp_path / "link.npy").payload.arch == (0, 2, 1)


def test_a_header_may_be_no_larger_than_headers_are(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "lut.h5", "w") as file:
        file.create_dataset("header", (MAX_HEADER_BYTES + 1,), "u1", chunks=(1024,))
    refused(LookupTable, tmp_path / "lut.h5", f"declares {MAX_HEADER_BYTES + 1} bytes")
