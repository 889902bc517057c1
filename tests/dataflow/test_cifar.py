from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from nascli.config import Origin, validate
from nascli.dataflow.cifar import Cifar10, Cifar100
from nascli.errors import ConfigError, RunFailed
from nascli.testing import DataflowContract

from .helpers import PLAIN, seen


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CIFAR-10 with 20 training and 10 test images, in torchvision's format; image i has the value i."""
    from torchvision.datasets import CIFAR10

    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    digests = {}
    names = {"label_names": [f"class {k}" for k in range(10)]}
    for name, content in {"train": _batch(20, 0), "test": _batch(10, 20), "meta": names}.items():
        (folder / name).write_bytes(pickle.dumps(content))
        digests[name] = hashlib.md5((folder / name).read_bytes()).hexdigest()
    monkeypatch.setattr(CIFAR10, "train_list", [["train", digests["train"]]])
    monkeypatch.setattr(CIFAR10, "test_list", [["test", digests["test"]]])
    monkeypatch.setattr(CIFAR10, "meta", {"filename": "meta", "key": "label_names", "md5": digests["meta"]})
    monkeypatch.setattr(Cifar10, "sizes", {"train": 20, "test": 10})
    return tmp_path


class TestCifar10(DataflowContract):
    @pytest.fixture(autouse=True)
    def _path(self, small: Path) -> None:
        self.path = small

    def make(self) -> Cifar10:
        return Cifar10(Cifar10.Config(path=self.path, batch_size=4, valid_share=0.5))


def test_the_data_set_is_described(small: Path) -> None:
    description = _flow(small).describe()
    assert description.image_shape == (3, 32, 32)
    assert description.classes[3] == "class 3"
    assert description.sizes == {"train": 18, "arch": 9, "valid": 2, "test": 10}


def test_images_and_labels_are_torchvision_s(small: Path) -> None:
    flow = _flow(small)
    batches = list(flow.batches("test", device="cpu", train=False))
    assert seen(flow, batches) == [list(range(20, 30))]
    assert torch.equal(batches[0].labels, torch.arange(10))


def test_channels_come_first(small: Path) -> None:
    source = _flow(small).source("train")
    assert source is not None
    assert source.load()[5, :, 0, 0].tolist() == [5, 6, 7]


@pytest.mark.parametrize("cls", [Cifar10, Cifar100])
def test_a_missing_data_set_is_refused_naming_path_and_option(cls: type[Cifar10 | Cifar100], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no") as caught:
        cls(cls.Config(path=tmp_path / "gone")).describe()
    assert "gone" in str(caught.value)
    assert "download: true" in caught.value.hint


def test_a_damaged_file_fails_by_name(small: Path) -> None:
    (small / "cifar-10-batches-py/train").write_bytes(b"other")
    with pytest.raises(RunFailed, match="cifar-10-batches-py are damaged"):
        _flow(small).describe()


def test_the_path_comes_from_yaml_as_text() -> None:
    assert validate(Cifar10.Config, {"path": "x"}, Origin()).path == Path("x")


def _batch(n: int, first: int) -> dict[str, object]:
    # Red, green and blue planes of 1,024 pixels each: image i is i, i + 1, i + 2.
    planes = np.arange(first, first + n, dtype=np.uint8)[:, None, None] + np.arange(3, dtype=np.uint8)[:, None]
    return {"data": np.tile(planes, (1, 1, 1024)).reshape(n, 3072), "labels": [k % 10 for k in range(n)]}


def _flow(path: Path) -> Cifar10:
    return Cifar10(Cifar10.Config(path=path, augment=PLAIN))
