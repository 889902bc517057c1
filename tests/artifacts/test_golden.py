"""Files of old schema versions are read for ever. A digest that changes here is a change of the format."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nascli.artifacts.architecture import Architecture
from nascli.artifacts.base import Artifact
from nascli.artifacts.checkpoint import Checkpoint
from nascli.artifacts.history import History
from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.model import Model
from nascli.artifacts.report import Report
from nascli.artifacts.supernet import SupernetCheckpoint
from nascli.commands.inspect import open_any
from nascli.component import resolve
from tests.golden.make_v1 import make

V1 = Path(__file__).parents[1] / "golden" / "v1"
DIGESTS = {
    "arch.history.h5": "b474a77147a2804824a46bb9f161b2cc2da66752b3cdedd6306456447da1b626",
    "arch.npy": "17ed4a5179449b4a3abcacf8efb6557f20db56eb46aa18f8e6935b780aa7cc1f",
    "checkpoint.pt": "a59b5d5ea250cd6b7360bf37ddccf55cb7eb08ddcf46ba2b0d27a7cef3a16f19",
    "lut.h5": "97c046916f615416ecf6bde84ead864597eb881a7b09ab019a22e57ee3a96529",
    "model.pt": "774d1a78ce848fa8f2d8939784fd569bbb14645e38680f24499198d018405bff",
    "report.json": "36e6d80412e599afaf83805327379267a03a4b1d8cc2373505e5374e60187899",
    "supernet.pt": "3bba202e888afb2a477a9caa67f5bb3bdece19b909fc7170dd6c31d577cfa193",
}


def payload(kind: type[Artifact[Any]], name: str) -> Any:
    return kind.open(V1 / name).payload


def test_every_golden_file_has_its_digest_here() -> None:
    assert {path.name for path in V1.iterdir()} == set(DIGESTS)


@pytest.mark.parametrize("name", DIGESTS)
def test_golden_files_are_read_and_have_their_digests(name: str) -> None:
    found = open_any(V1 / name)
    assert found.payload is not None
    assert (found.header.digest, found.header.schema_version) == (DIGESTS[name], 1)


def test_what_is_written_today_has_the_golden_digests(tmp_path: Path) -> None:
    for name, artifact in make().items():
        artifact.write(tmp_path / name)
    assert {path.name: open_any(path).header.digest for path in tmp_path.iterdir()} == DIGESTS


def test_the_golden_lookup_table_holds_its_costs() -> None:
    columns = payload(LookupTable, "lut.h5").columns
    macs, latency = columns["macs"], columns["latency_ms"]
    assert (macs.base, macs.unit, macs.exact, len(macs.factors)) == (2304, "MAC", True, 6)
    assert (macs.factors[2][0], macs.factors[2][1].tolist()) == ((2,), [0, 3000, 6000, 9000, 12000])
    assert (latency.base, latency.error, latency.notes["device"]) == (0.125, 0.03125, "golden")


def test_the_golden_supernet_holds_its_weights() -> None:
    found = payload(SupernetCheckpoint, "supernet.pt")
    assert len(found.state_dict) == 24
    assert next(iter(found.state_dict.values())).flatten()[:4].tolist() == [0.125, 0.25, 0.375, 0.5]
    assert (found.arch_parameters["layer_0"].tolist(), found.strategy) == ([0, 1, 2, 3, 4], {"step": 12})


def test_the_golden_architecture_is_read_by_nascli_and_by_numpy() -> None:
    assert payload(Architecture, "arch.npy").arch == (1, 0, 3, 0, 4, 0)
    assert np.load(V1 / "arch.npy", allow_pickle=False).tolist() == [1, 0, 3, 0, 4, 0]


def test_the_golden_history_holds_its_trials() -> None:
    found = payload(History, "arch.history.h5")
    assert found.archs.tolist() == [[1, 0, 3, 0, 4, 0], [0, 0, 1, 0, 1, 0]]
    assert (found.accuracy[0], found.loss[0], found.images.tolist()) == (0.75, 0.5, [6, 0])
    assert math.isnan(found.accuracy[1])
    assert (found.costs["macs"].tolist(), found.errors) == ([56304, 13304], {1: "the loss is nan"})


def test_the_golden_model_still_computes_what_it_did() -> None:
    found = Model.open(V1 / "model.pt")
    record = found.space
    network = resolve("search_space", {"use": record.use, **record.options}).build().model(found.payload.arch)
    network.load_state_dict(dict(found.payload.state_dict))
    output = network.double().eval()(torch.ones(1, 1, 8, 8, dtype=torch.float64))
    assert output.tolist() == [pytest.approx([543.8234467243632, 487.64006853988843, 484.1599102826793], rel=1e-9)]


def test_the_golden_report_holds_its_values() -> None:
    found = payload(Report, "report.json")
    assert (found.report["top1"], found.measured) == (0.5, {"images_per_s": 8.5})
    assert found.report["confusions"] == [{"true": "a", "predicted": "b", "images": 2}]


def test_the_golden_checkpoint_holds_its_state() -> None:
    found = payload(Checkpoint, "checkpoint.pt")
    assert (found.step, found.state["best"], found.state["streams"]) == (12, math.inf, {"train": [1, 4]})
    assert found.state["optimizers"]["weights"]["state"][0]["momentum_buffer"].tolist() == [[1, 1], [1, 1]]


def test_the_lineage_of_the_golden_report_goes_down_to_the_table() -> None:
    header = Report.open(V1 / "report.json").header
    arch = header.inputs["model"].inputs["arch"]
    assert (arch.digest, arch.inputs["lut"].digest) == (DIGESTS["arch.npy"], DIGESTS["lut.h5"])
    assert header.space is not None
    assert (header.space.use, header.space.options["width"]) == ("tiny", 4)


def test_the_golden_files_stay_small() -> None:
    assert sum(path.stat().st_size for path in V1.iterdir()) < 400_000
