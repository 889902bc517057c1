"""Files made to do harm: pickles that run code, tables that reach outside, sizes that fill the memory."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.campaigns.fault_cases_artifacts import READERS, readers
from tests.campaigns.fault_kit import Case

UNTRUSTED = {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}
SMALL_MIB = 200.0
TERA = 2**40


def bad(name: str) -> str:
    """The name of the harmful file that stands in for an artifact."""
    return f"bad-{name}"


class Trap:
    """Unpickling it makes the file `sprung`, and a new file is a mismatch."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def trapped(folder: Path) -> None:
    """Traps in the pickle of a `.pt` whose hashes fit, as an array of objects, and bare."""
    import numpy as np

    from tests.artifacts.helpers import npy, with_pickle

    trap = Trap(folder / "sprung")
    for name in ("supernet.pt", "model.pt"):
        with_pickle(folder / name, folder / f"bad-{name}", pickle.dumps(trap, protocol=2))
        (folder / f"bare-{name}").write_bytes(pickle.dumps(trap, protocol=2))
    (folder / "bad-arch.npy").write_bytes(npy(np.array([trap], dtype=object), allow_pickle=True))
    (folder / "bare-arch.npy").write_bytes(pickle.dumps(trap))


def not_sprung(folder: Path, tried: object) -> str:
    """What to say if a trap was sprung; that one would be, if unpickled, is tried here too."""
    if (folder / "sprung").exists():
        return "the pickle was run"
    pickle.loads((folder / "bare-arch.npy").read_bytes())
    return "" if (folder / "sprung").exists() else "the trap does not work"


def hdf5(change: Callable[[Any, str], None]) -> Callable[[Path], None]:
    """Writes bad-lut.h5, whose costs `change` had its way with; `other.h5` is a named pipe: opening it hangs."""

    def prepare(folder: Path) -> None:
        from tests.artifacts.helpers import with_h5

        os.mkfifo(folder / "other.h5")

        def changed(file: Any) -> None:
            del file["macs/0000/values"]
            change(file, str(folder / "other.h5"))

        with_h5(folder / "lut.h5", folder / "bad-lut.h5", changed)

    return prepare


def external_link(file: Any, other: str) -> None:
    """A link into another file."""
    import h5py

    file["macs/0000/values"] = h5py.ExternalLink(other, "/values")


def external_storage(file: Any, other: str) -> None:
    """A data set whose bytes lie in another file."""
    file.create_dataset("macs/0000/values", (5,), "i8", external=[(other, 0, 40)])


def virtual(file: Any, other: str) -> None:
    """A data set made of another file's."""
    import h5py

    layout = h5py.VirtualLayout((5,), "i8")
    layout[:] = h5py.VirtualSource(other, "values", (5,))
    file.create_virtual_dataset("macs/0000/values", layout)


def eight_tera(file: Any, other: str) -> None:
    """A data set that declares 8 TB in a file of some kB."""
    file.create_dataset("macs/0000/values", (TERA,), "i8", chunks=(1024,), compression="gzip")


def tera_header(file: Any, other: str) -> None:
    """The header itself declares 1 TB."""
    del file["header"]
    file.create_dataset("header", (TERA,), "u1", chunks=(1024,))


def big_vector(folder: Path) -> None:
    """A `.npy` of 10^12 numbers in 128 bytes, and a report of 65 MiB without one."""
    fields = "{'descr': '<i8', 'fortran_order': False, 'shape': (1000000000000,), }".ljust(117) + "\n"
    (folder / "bad-arch.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00" + fields.encode())
    with (folder / "bad-report.json").open("wb") as stream:
        stream.truncate(65 * 2**20)


def zip_bomb(folder: Path) -> None:
    """A header that unpacks to 1 GiB."""
    import zipfile

    with (
        zipfile.ZipFile(folder / "bad-supernet.pt", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("archive/nascli.json", "w") as stream,
    ):
        for _ in range(1024):
            stream.write(bytes(2**20))


TORCH = ("supernet.pt", "model.pt", "arch.npy")
TABLE = readers(bad, "lut.h5")
CHECK_BARE = [READERS[name].replace("BAD", f"bare-{name}") for name in TORCH]

CASES = [
    Case("pickle that runs code", readers(bad, *TORCH) + CHECK_BARE, prepare=trapped, after=not_sprung),
    Case(
        "the same, weights_only forbidden",
        readers(bad, *TORCH) + CHECK_BARE,
        prepare=trapped,
        after=not_sprung,
        env=UNTRUSTED,
        slow=True,  # in the default tests: artifacts/test_hostile.py
    ),
    *(
        Case(f"HDF5 with {name}", TABLE, prepare=hdf5(change), says=says, mib=SMALL_MIB)
        for name, change, says in (
            ("an external link", external_link, ["'values' is a link (ExternalLink)"]),
            ("external storage", external_storage, ["'macs/0000/values' is virtual, external"]),
            ("a virtual data set", virtual, ["'macs/0000/values' is virtual, external"]),
            ("8 TB declared", eight_tera, ["declares 8796093022208 bytes"]),
            ("a header of 1 TB", tera_header, ["declares 1099511627776 bytes"]),
        )
    ),
    Case(
        "a vector of 10^12, a report of 65 MiB",
        readers(bad, "arch.npy", "report.json"),
        prepare=big_vector,
        mib=SMALL_MIB,
    ),
    Case(
        "a zip that unpacks to 1 GiB", readers(bad, "supernet.pt"), prepare=zip_bomb, says=["too large"], mib=SMALL_MIB
    ),
]
