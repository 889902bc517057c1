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
from nascli.artifacts.export import Export
from nascli.artifacts.history import History
from nascli.artifacts.lookup_table import LookupTable
from nascli.artifacts.mistakes import Mistakes
from nascli.artifacts.model import Model
from nascli.artifacts.report import Report
from nascli.artifacts.strategy_state import StrategyState
from nascli.artifacts.supernet import SupernetCheckpoint
from nascli.commands.inspect import open_any
from nascli.component import resolve
from tests.golden.make_v1 import make

V1 = Path(__file__).parents[1] / "golden" / "v1"
DIGESTS = {
    "arch.generator.pt": "dd733d11da701c5830e78d664c9b1c1ae409076740b1ee6870b1d671adfaa648",
    "arch.history.h5": "ecd45cede7ceecf0c6d7451a60974e01a1e32fa1cf655ef14c033faafee1b8db",
    "arch.npy": "d12fa130006909af66a97379554e2ecbb0d0f6cdb549361db0d6bb10f53e716b",
    "checkpoint.pt": "248390c8d028e06724b2c4c75b33dd27e82032fac43100886953799cd646a594",
    "compare.json": "2adbc0e3a6f11ac4f955018bfea1e4f7a94fba5e775e45377429df0577ead2b5",
    "export.json": "40710fea8bb85c32619d72daedaeb745db5cf00bdc70cacaab8711935ccf8196",
    "lut.h5": "d0105f44fdf789f79e729d2609a41f818d524825f7ee6685df06e987a82f9f12",
    "model.pt": "b5dbb69c839a2aad5ca4b48dec2085fd754acec1e1c2c5337ab3cc230f3ac2e8",
    "report.json": "ce1ab426462a678713690d14772e27951cc16d09105ce6e2450263d8a52aec3f",
    "report.mistakes.h5": "ede862e013c29afffcf3b6ad5f5ffefc87d7f9179a35a630a77f73b02c47e41f",
    "supernet.pt": "aea6198817926d28e9e2b6a6c3ec77ca25da3bb9cc48e9be74db5527293b9000",
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


def test_the_golden_mistakes_hold_their_images() -> None:
    found = payload(Mistakes, "report.mistakes.h5")
    assert (found.images.shape, found.images.dtype, found.places.tolist()) == ((2, 3, 8, 8), np.uint8, [4, 1])
    assert found.images.flatten()[:4].tolist() == [0, 1, 2, 3]


def test_the_golden_generator_holds_what_was_learned() -> None:
    found = StrategyState.open(V1 / "arch.generator.pt")
    assert (found.strategy, found.payload.strategy) == ("generator", "generator")
    state = found.payload.state
    assert (state["metric"], state["tau"], state["network"]["width"]) == ("macs", 0.5, 2)
    assert state["priors"].tolist() == [[0, 0, 1, 0, 1, 0], [1, 0, 3, 0, 4, 0]]
    assert state["network"]["weights"]["last.bias"].tolist() == [0, 1, 2]


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


def test_the_golden_export_holds_its_values() -> None:
    found = payload(Export, "export.json")
    assert (found.report["input"]["shape"], found.report["classes"]) == ([1, 8, 8], ["a", "b", "c"])
    assert found.measured["torch"]["max_abs_difference"] == 0


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


def test_the_inputs_of_golden_headers_have_no_manifest() -> None:
    header = Report.open(V1 / "report.json").header
    inputs = [header.inputs["model"], header.inputs["model"].inputs["arch"]]
    inputs += inputs[-1].inputs.values()
    assert [source.manifest for source in inputs] == [()] * 4


def test_the_golden_files_stay_small() -> None:
    assert sum(path.stat().st_size for path in V1.iterdir()) < 400_000
