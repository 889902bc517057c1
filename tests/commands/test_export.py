from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nascli.artifacts.export import Export
from nascli.artifacts.header import DataRecord
from nascli.artifacts.model import Model, TrainedModel
from nascli.cli import run
from nascli.component import resolve
from nascli.search_space.base import record_of
from tests.conftest import ROOT, Write

torch.set_num_threads(1)

ALONE = """
import json, runpy, sys
sys.modules["nascli"] = None  # importing it is an error
import torch
torch.set_num_threads(1)  # as the tests: more threads add in another order
facts = {}
for name in sys.argv[1:]:
    file = runpy.run_path(f"{name}/network.py")
    with torch.no_grad():
        torch.save(file["load"]()(torch.load(f"{name}.x", weights_only=True)), f"{name}.y")
    images = torch.full((1, *file["INPUT_SHAPE"]), 255, dtype=torch.uint8)
    facts[name] = [file["CLASSES"][1], file["normalise"](images).unique().tolist()]
heavy = [name for name in ("torchvision", "stages") if name in sys.modules]
print(json.dumps([facts, heavy]))
"""
OWN_SPACE = """
import torch
from torch import nn
from nascli.supernet.mutables import LayerChoice
def doubled(y):
    return y * 2
torch.fx.wrap("doubled")
class My(nn.Module):
    def __init__(self, input_shape=(1, 4, 4), classes=2):
        super().__init__()
        self.body = LayerChoice([nn.Conv2d(1, 2, 1), nn.Conv2d(1, 2, 3, padding=1)], label="body")
    def forward(self, x):
        y = self.body(x).mean((2, 3))
        return RESULT
"""
TINY = {"use": "tiny", "input_shape": [1, 8, 8], "width": 4}
FBNET = {"use": "fbnet_s", "input_shape": [3, 32, 32], "strides": "cifar"}
OWN = {"use": f"{ROOT}/examples/my_model.py:MyModel", "width": 8}
SPACES = {"tiny": TINY, "fbnet_s": FBNET, "my_model": OWN, "wrapped": {"use": "./my.py:My"}}


def trained(folder: Path, space: dict[str, Any], *, name: str = "model.pt", seed: int = 0, told: bool = True) -> Path:
    """A model file of an architecture drawn from `seed`, with weights and statistics that do something."""
    reference = resolve("search_space", space)
    found = reference.build()
    rng = np.random.default_rng(seed)
    arch = found.space.check([int(rng.integers(decision.size)) for decision in found.space.decisions])[0].tolist()
    torch.manual_seed(seed)
    network = found.model(arch)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    shape, classes = found.config.input_shape, tuple(f"class '{i}'" for i in range(found.config.classes))
    data = DataRecord(name="d", classes=classes, image_shape=shape, sizes={}, split={}, fingerprint="0" * 64)
    summary = {"normalisation": {"mean": [0.5] * shape[0], "std": [0.25] * shape[0]}} if told else {}
    payload = TrainedModel(tuple(arch), network.state_dict())
    Model(payload, space=record_of(reference, found.space), data=data, summary=summary).write(folder / name)
    return folder / name


def outputs_of(path: Path, x: Tensor, reference: Any = None) -> Tensor:
    """What the network of a model file computes."""
    model = Model.open(path)
    record = model.space
    reference = reference or {"use": record.use, **record.options}
    network = resolve("search_space", reference).build().model(model.payload.arch)
    network.load_state_dict(model.payload.state_dict)
    with torch.no_grad():
        found: Tensor = network.eval()(x)
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """Exports of several spaces, and what their Python files did in a process that cannot import nascli."""
    folder = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "my.py").write_text(OWN_SPACE.replace("RESULT", "doubled(y)"))
        for name, space in SPACES.items():
            trained(folder, space, name=f"{name}.pt")
            words = ["export", "--model", f"{name}.pt", "-o", name, "-q"]
            own = ["--search-space", space["use"]] if ":" in space["use"] else []
            own += ["--set", "search_space.width=8"] if name == "my_model" else []
            assert run([*words, *own]) == 0
            shape = Export.open(folder / name / "export.json").payload.report["input"]["shape"]
            torch.save(torch.randn(3, *shape, generator=torch.Generator().manual_seed(7)), f"{name}.x")
    command = [sys.executable, "-c", ALONE, *SPACES]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


@pytest.mark.parametrize("name", SPACES)
def test_the_python_file_computes_the_same_where_nascli_is_not_there(
    name: str, alone: tuple[Path, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, (facts, heavy) = alone
    monkeypatch.chdir(folder)
    x, y = (torch.load(folder / f"{name}.{end}", weights_only=True) for end in "xy")
    assert torch.equal(y, outputs_of(folder / f"{name}.pt", x, SPACES[name]))
    assert facts[name] == ["class '1'", [2.0]]
    assert heavy == []


@pytest.mark.parametrize(("name", "form"), [("fbnet_s", "source"), ("my_model", "source"), ("wrapped", "program")])
def test_networks_are_python_and_weights_where_torch_alone_can_spell_them(
    name: str, form: str, alone: tuple[Path, list[Any]]
) -> None:
    told = Export.open(alone[0] / name / "export.json").payload.report["torch"]
    assert told == {"form": form, "batch": None, "files": ["network.py", told["files"][1]]}


@pytest.mark.parametrize("space", [TINY, FBNET], ids=["tiny", "fbnet_s"])
def test_the_onnx_model_computes_the_same_for_any_number_of_images(space: dict[str, Any], folder: Path) -> None:
    import onnxruntime

    model = trained(folder, space)
    assert run(["export", "--model", "model.pt", "--format", "onnx", "-o", "out", "-q"]) == 0
    session = onnxruntime.InferenceSession("out/model.onnx", providers=["CPUExecutionProvider"])
    for n in (1, 5):
        x = torch.randn(n, *space["input_shape"])
        assert np.allclose(session.run(["y"], {"x": x.numpy()})[0], outputs_of(model, x), atol=1e-4)


def test_export_json_says_what_goes_in_and_out_and_how_fast(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained(folder, TINY)
    words = ["export", "--model", "model.pt", "--format", "onnx", "--format", "torch", "--threads", "2", "-o", "out"]
    assert run([*words, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    report, measured = shown["report"], shown["measured"]
    assert report["input"] == {"name": "x", "dtype": "float32", "shape": [1, 8, 8], "mean": [0.5], "std": [0.25]}
    assert (report["output"]["shape"], len(report["classes"])) == ([10], 10)
    assert measured["torch"]["max_abs_difference"] == 0
    assert 0 < measured["onnx"]["max_abs_difference"] <= 1e-4 * measured["onnx"]["largest_output"]
    low, high = measured["onnx"]["latency_interval_ms"]
    assert 0 < low <= measured["onnx"]["latency_ms"] <= high
    facts = {key: measured["onnx"][key] for key in ("threads", "batch", "device")}
    assert facts == {"threads": 2, "batch": 1, "device": "cpu"}
    assert {path.name for path in (folder / "out").iterdir()} == {*report["files"], "export.json"}
    found = Export.open(folder / "out" / "export.json")
    assert found.header.inputs["model"].digest == Model.open(folder / "model.pt").header.digest
    assert run(["inspect", "--check", "out"]) == 0


def test_the_same_model_gives_the_same_digest(folder: Path) -> None:
    trained(folder, TINY)
    digests = set()
    for name in ("a", "b"):
        assert run(["export", "--model", "model.pt", "--format", "onnx", "--format", "torch", "-o", name, "-q"]) == 0
        digests.add(Export.open(folder / name / "export.json").header.digest)
    assert len(digests) == 1


def test_force_replaces_an_export_whole_and_nothing_else(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained(folder, TINY)
    words = ["export", "--model", "model.pt", "-o", "out", "-q"]
    (folder / "out").mkdir()
    assert run([*words, "--format", "onnx"]) == 0
    assert run(words) == 2
    assert "--force" in capsys.readouterr().err
    assert run([*words, "--force"]) == 0
    assert {path.name for path in (folder / "out").iterdir()} == {"network.py", "weights.pth", "export.json"}
    (folder / "out" / "notes.txt").write_text("mine")
    assert run([*words, "--force"]) == 2
    assert "notes.txt" in capsys.readouterr().err
    assert (folder / "out" / "notes.txt").read_text() == "mine"
    assert {path.name for path in folder.iterdir()} == {"model.pt", "out"}


def test_a_model_that_does_not_tell_its_normalisation_is_exported_with_a_warning(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(folder, TINY, told=False)
    assert run(["export", "--model", "model.pt", "-o", "out", "-q"]) == 0
    assert "warning: model.pt does not say how its images were normalised" in capsys.readouterr().err
    assert "MEAN = None" in (folder / "out" / "network.py").read_text()


HOSTILE = '"""\nimport os; os.abort()\n"""'


def test_text_of_the_header_is_never_code(folder: Path) -> None:
    path = trained(folder, TINY)
    model = Model.open(path)
    data = model.header.data.model_copy(update={"classes": (HOSTILE, *"abcdefghi")})  # type: ignore[union-attr]
    Model(model.payload, space=model.space, data=data).write(path)
    assert run(["export", "--model", "model.pt", "-o", "out", "-q"]) == 0
    report = Export.open(folder / "out" / "export.json").payload.report
    assert report["classes"][0] == HOSTILE


BAD: dict[str, tuple[list[str], int, str]] = {
    "no such model": (["--model", "none.pt"], 3, "none.pt: no such file"),
    "of another kind": (["--model", "lut.h5"], 3, ""),
    "no such format": (["--model", "model.pt", "--format", "onx"], 2, "did you mean"),
    "no such space": (["--model", "model.pt", "--search-space", "./none.py:My"], 2, "none.py"),
    "another space": (["--model", "model.pt", "--search-space", "nasbench_macro"], 3, "NasBenchMacro"),
    "a space of one's own that is not named": (["--model", "own.pt"], 2, "--search-space"),
    "no such yaml": (["--model", "model.pt", "-c", "none.yaml"], 2, "none.yaml"),
    "a file as the folder": (["--model", "model.pt", "-o", "file"], 2, "expected a folder"),
    "below a file": (["--model", "model.pt", "-o", "file/out"], 5, "cannot write"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_and_nothing_is_written(
    name: str, folder: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    words, code, told = BAD[name]
    trained(folder, TINY)
    trained(folder, OWN, name="own.pt")
    write("file", "text")
    write("lut.h5", "nothing")
    before = {path.name for path in folder.iterdir()}
    assert run(["export", "-o", "out", *words]) == code
    told_err = capsys.readouterr().err
    assert told in told_err
    assert " hint: " in told_err
    assert {path.name for path in folder.iterdir()} == before


def test_weights_of_another_network_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = Model.open(trained(folder, TINY))
    weights = dict(list(model.payload.state_dict.items())[1:])
    Model(TrainedModel(model.payload.arch, weights), space=model.space).write(folder / "model.pt")
    assert run(["export", "--model", "model.pt", "-o", "out"]) == 3
    assert "model.pt: what it holds is not what a stage writes" in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_onnx_is_asked_for_where_it_is_not_installed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(folder, TINY)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert run(["export", "--model", "model.pt", "--format", "torch", "--format", "onnx", "-o", "out"]) == 2
    error = capsys.readouterr().err
    assert "--format onnx needs the package onnxruntime" in error
    assert "pip install 'nascli[onnx]', or take --format torch" in error
    assert not (folder / "out").exists()


def test_a_forward_that_asks_for_values_is_refused(
    folder: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write("my.py", OWN_SPACE.replace("RESULT", "y if float(y.sum()) > 0 else -y"))
    trained(folder, {"use": "./my.py:My"})
    assert run(["export", "--model", "model.pt", "--search-space", "./my.py:My", "-o", "out"]) == 5
    assert "cannot be written so that it computes the same" in capsys.readouterr().err
    assert not [path for path in folder.iterdir() if path.name.startswith((".", "out"))]
