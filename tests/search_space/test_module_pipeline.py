"""A network of one's own through all stages, as on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from nascli.cli import run

NET = """
from torch import nn
from nascli.supernet.mutables import InputChoice, LayerChoice, Repeat


def conv(channels, kernel):
    layer = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(channels), nn.ReLU())


def kernels(channels, label):
    return LayerChoice({f"k{k}": conv(channels, k) for k in (1, 3)}, label=label)


class Net(nn.Module):
    '''A stem, two branches, a searched depth.'''

    def __init__(self, input_shape: tuple[int, int, int], classes: int, width: int = 6) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(input_shape[0], width, 3, 2, 1, bias=False), nn.BatchNorm2d(width))
        inside = nn.Sequential(kernels(width, "k / 1"), kernels(width, "k"))
        self.left = LayerChoice([inside, nn.MaxPool2d(3, 1, 1)], label="left")
        self.right = kernels(width, "right")
        self.take = InputChoice(choose_from=["left", "stem", "right"], label="take")
        self.body = Repeat(lambda i: kernels(width, "k"), (0, 2), label="depth")
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.stem(x)
        x = self.take([self.left(x), x, self.right(x)])
        return self.head(self.body(x).mean((2, 3)))
"""
YAML = """
search_space: {use: ./net.py:Net, input_shape: [1, 8, 8], classes: 10, width: 4}
dataflow: {use: digits, batch_size: 256, valid_share: 0.2}
constraint: ['macs<=6000']
threads: 1
train_supernet: {epochs: 1}
search:
  search_strategy: {use: evolution, population: 4, parents: 2}
  evaluator: {use: supernet, calibration_images: 64, validation_images: 64}
  max_evaluations: 6
retrain: {epochs: 1}
"""
STAGES = (
    ["build-lut", "-o", "lut.h5"],
    ["train-supernet", "-o", "supernet.pt"],
    ["search", "--lut", "lut.h5", "--supernet", "supernet.pt", "-o", "arch.npy"],
    ["retrain", "--arch", "arch.npy", "--init", "supernet.pt", "-o", "model.pt"],
    ["evaluate", "--model", "model.pt", "--lut", "lut.h5", "-o", "report.json"],
)

Called = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that the tests run in, with the files of one run."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "net.py").write_text(NET)
    (folder / "run.yaml").write_text(YAML)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for arguments in STAGES:
            assert run([*arguments, "-c", "run.yaml", "-q"]) == 0, arguments
        yield folder


@pytest.fixture
def call(chain: Path, capfd: pytest.CaptureFixture[str]) -> Called:
    """Runs a command; its exit code and what it says."""

    def called(*arguments: str) -> tuple[int, str]:
        capfd.readouterr()
        return run(list(arguments)), " ".join(capfd.readouterr().err.split())

    return called


def facts(path: Path, capfd: pytest.CaptureFixture[str]) -> dict[str, object]:
    capfd.readouterr()
    assert run(["inspect", str(path), "--json"]) == 0
    found: dict[str, object] = json.loads(capfd.readouterr().out)
    return found


def test_the_report_counts_what_the_table_predicts(chain: Path) -> None:
    report = json.loads((chain / "report.json").read_text())["report"]
    assert report["macs"] == report["table"]["macs"] <= 6000
    assert report["params"] == report["table"]["params"]
    assert report["architecture"] == np.load(chain / "arch.npy").tolist()


def test_artifacts_remember_the_network_and_its_file(chain: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = json.dumps(facts(chain / "lut.h5", capfd))
    for word in ("net.py:Net", "k / 1", "take", "depth"):
        assert word in text


@pytest.mark.parametrize("arguments", STAGES[2:])
def test_later_stages_ask_for_the_file_when_it_is_not_named(arguments: list[str], call: Called) -> None:
    data = ["--set", "dataflow.use=digits", "--set", "dataflow.valid_share=0.2"]
    code, said = call(*arguments[:-1], f"other.{arguments[-1]}", *data)
    assert code == 2
    assert "was made with the search space 'net.py:Net' (sha256" in said
    assert "--search-space ./net.py:Net" in said


def test_a_file_that_has_changed_is_another_space(chain: Path, call: Called) -> None:
    (chain / "new").mkdir()
    (chain / "new/net.py").write_text(NET + "# changed\n")
    space = ["--search-space", "./new/net.py:Net", "--set", "search_space.width=4"]
    shape = ["--set", "search_space.input_shape=[1, 8, 8]", "--set", "search_space.classes=10"]
    code, said = call("search", "--lut", "lut.h5", *space, *shape, "--set", "dataflow.use=digits", "-o", "x.npy")
    assert code == 3
    assert "'net.py:Net' has changed since --lut was made (sha256 " in said


def test_options_of_the_network_are_set_by_name(chain: Path, call: Called, capfd: pytest.CaptureFixture[str]) -> None:
    assert call("build-lut", "-c", "run.yaml", "--set", "search_space.width=5", "-o", "wide.h5", "-q")[0] == 0
    params = [json.dumps(facts(chain / name, capfd)) for name in ("lut.h5", "wide.h5")]
    assert params[0] != params[1]


PLAIN = """
from torch import nn


def Net(width: int):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.Linear(width, 10))
"""
WRONG = {
    "an unknown option": (NET, ["--set", "search_space.widht=3"], "did you mean 'width'"),
    "a wrong option": (NET, ["--set", "search_space.width=wide"], "search_space.width"),
    "a wrong name": (NET, ["--search-space", "./net.py:Nett"], "did you mean 'Net'"),
    "no choices": (PLAIN, [], "Sequential has nothing to search"),
    "a channel mismatch": (
        NET.replace("lambda i: kernels(width", "lambda i: kernels(width + 1"),
        [],
        "'k1' of 'k' fails",
    ),
    "no network": (NET + "\n\ndef make():\n    return 3\n", ["--search-space", "./net.py:make"], "not an nn.Module"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_networks_are_refused_before_training(what: str, tmp_path: Path, call: Called) -> None:
    text, options, words = WRONG[what]
    (tmp_path / "net.py").write_text(text)
    (tmp_path / "run.yaml").write_text(YAML)
    options = [option.replace("./", f"{tmp_path}/") for option in options]
    code, said = call("train-supernet", "-c", str(tmp_path / "run.yaml"), *options, "-o", str(tmp_path / "s.pt"))
    assert (code, list(tmp_path.glob("s.pt*"))) == (2, [])
    assert words in said
