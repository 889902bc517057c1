from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from nascli.artifacts.files import sha256
from nascli.artifacts.manifest import Manifest
from nascli.component import resolve
from nascli.cost.exporting import BlockExport, export
from nascli.cost.onnx_export import images
from nascli.errors import ArtifactError, UsageError
from nascli.search_space.base import SearchSpace, record_of
from nascli.search_space.randomness import own_randomness
from tests.conftest import Write

TINY = resolve("search_space", {"use": "tiny", "width": 4})
SPACE: SearchSpace = TINY.build()
BLOCKS = SPACE.cost_blocks()


def exported(folder: Path, **options: int | bool) -> Manifest:
    with own_randomness():
        return export(folder, BLOCKS, SPACE.model, record_of(TINY, SPACE.space), BlockExport(**options))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "blocks"
    exported(path, batch=2, networks=3)
    return path


def test_every_distinct_block_is_there_with_its_shape_and_digest(folder: Path) -> None:
    manifest = Manifest.read(folder / "manifest.json")
    assert [entry.id for entry in manifest.blocks] == [block.id for block in BLOCKS.blocks]
    assert manifest.space == record_of(TINY, SPACE.space)
    for entry, block in zip(manifest.blocks, BLOCKS.blocks, strict=True):
        assert entry.model is not None
        data = (folder / entry.model.file).read_bytes()
        assert sha256(data) == entry.model.sha256
        (given,) = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).get_inputs()
        assert given.shape == [2, *block.shape] == [manifest.batch, *entry.input_shape]


def test_places_say_where_a_block_stands(folder: Path) -> None:
    manifest = Manifest.read(folder / "manifest.json")
    found = [(place.decisions, place.candidates, place.times) for place in manifest.blocks[4].places]
    assert found == [(("layer_00",), ("mobile_k3_e2",), 1), (("layer_01",), ("mobile_k3_e2",), 1)]
    assert manifest.blocks[0].places[0].decisions == ("fixed",)
    operation = manifest.blocks[4].operation
    assert operation is not None
    assert (operation.op, operation.options["kernel"], operation.out_channels, operation.stride) == ("mobile", 3, 4, 1)


def test_whole_networks_compute_what_the_search_space_builds(folder: Path) -> None:
    manifest = Manifest.read(folder / "manifest.json")
    assert len(manifest.networks) == 3
    for entry in manifest.networks:
        assert entry.model is not None
        session = onnxruntime.InferenceSession(folder / entry.model.file, providers=["CPUExecutionProvider"])
        assert session.run(["y"], {"x": images(2, SPACE.space.input_shape).numpy()})[0].shape == (2, 10)
    totals = BLOCKS.counts(np.array([entry.architecture for entry in manifest.networks])).sum(axis=1)
    assert totals.tolist() == [9, 9, 9]


def test_a_model_that_does_nothing_tells_what_the_runtime_takes(folder: Path) -> None:
    entry = Manifest.read(folder / "manifest.json").empty
    assert entry is not None
    session = onnxruntime.InferenceSession(folder / entry.file, providers=["CPUExecutionProvider"])
    x = np.full((1, 1, 1, 1), 3.0, dtype=np.float32)
    assert session.run(["y"], {"x": x})[0] == x


def test_the_csv_has_a_line_for_each_of_them_to_fill_in(folder: Path) -> None:
    with (folder / "measurements.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    manifest = Manifest.read(folder / "manifest.json")
    assert [line["id"] for line in lines[: len(BLOCKS.blocks)]] == [block.id for block in BLOCKS.blocks]
    written = [line["architecture"] for line in lines[len(BLOCKS.blocks) :]]
    assert written == [",".join(map(str, entry.architecture)) for entry in manifest.networks]
    assert {line["value"] for line in lines} == {""}


def test_two_exports_are_equal(folder: Path, tmp_path: Path) -> None:
    exported(tmp_path / "again", batch=2, networks=3)
    assert (tmp_path / "again" / "manifest.json").read_bytes() == (folder / "manifest.json").read_bytes()


def test_without_models_there_are_the_manifest_and_the_csv(tmp_path: Path) -> None:
    manifest = exported(tmp_path / "blocks", onnx=False)
    assert {path.name for path in (tmp_path / "blocks").iterdir()} == {"manifest.json", "measurements.csv"}
    assert all(entry.model is None for entry in manifest.blocks)


def test_after_an_error_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nascli.cost.exporting.table", lambda manifest: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        exported(tmp_path / "blocks", onnx=False)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_kept(write: Write) -> None:
    mine = write("blocks/mine.txt", "x")
    for path in (mine.parent, mine):
        with pytest.raises(UsageError, match="choose another -o"):
            exported(path, onnx=False)
    assert mine.read_text() == "x"


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    exported(tmp_path, onnx=False)
    assert {path.name for path in tmp_path.iterdir()} == {"manifest.json", "measurements.csv"}


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": "other"}'])
def test_what_is_no_manifest_is_refused(write: Write, text: str) -> None:
    with pytest.raises(ArtifactError, match="is no manifest of blocks"):
        Manifest.read(write("manifest.json", text))
