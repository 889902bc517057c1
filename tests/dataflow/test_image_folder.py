from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nascli.config import Origin, validate
from nascli.dataflow.image_folder import ImageFolder, PictureAugment
from nascli.errors import ConfigError, RunFailed

from .helpers import same, write_data_set, write_pictures, zipped

SHARED = Path(__file__).parents[2].parent / "shared/data"
VIEWS = PictureAugment(flip=False, random_resized_crop=True)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Classes cat and dog, 10 training and 4 test pictures of 6x5 pixels."""
    return write_data_set(tmp_path / "data")


def test_the_folders_give_classes_shape_and_sizes(data: Path) -> None:
    description = _flow(data).describe()
    assert (description.classes, description.image_shape) == (("cat", "dog"), (3, 5, 6))
    assert description.sizes == {"train": 9, "arch": 4, "valid": 1, "test": 4}


def test_labels_follow_the_class_folders(data: Path) -> None:
    assert [b.labels.tolist() for b in _flow(data).batches("test", device="cpu", train=False)] == [[0, 0, 1, 1]]


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_validation_folder_is_used(data: Path, name: str) -> None:
    write_pictures(data / name, {"cat": 2, "dog": 1})
    assert _flow(data).describe().sizes == {"train": 10, "arch": 5, "valid": 3, "test": 4}


@pytest.mark.parametrize("top", ["", "data/"])
def test_an_archive_gives_the_same_images_as_the_folder(data: Path, tmp_path: Path, top: str) -> None:
    archive = zipped(data, tmp_path / "data.zip", top)
    for split in ("train", "test"):
        assert same(*(_flow(path).batches(split, device="cpu", train=False) for path in (data, archive)))


@pytest.mark.parametrize("workers", [0, 2])
def test_an_archive_read_by_workers_gives_the_same_images(data: Path, tmp_path: Path, workers: int) -> None:
    lazy = _flow(zipped(data, tmp_path / "data.zip"), workers=workers, in_memory_mb=0, normalise="train", batch_size=2)
    kept = _flow(data, batch_size=2)
    assert same(*(flow.batches("train", device="cpu", train=True) for flow in (lazy, kept)))


def test_the_test_part_can_have_a_path_of_its_own(data: Path, tmp_path: Path) -> None:
    whole = _flow(data).describe()
    shutil.move(data / "test", tmp_path / "elsewhere")
    assert _flow(data, test_path=tmp_path / "elsewhere").describe() == whole


def test_two_paths_may_hold_class_folders_directly(data: Path) -> None:
    direct = _flow(data / "train", test_path=data / "test")
    assert direct.describe() == _flow(data).describe()


def test_the_path_comes_from_yaml_as_text(data: Path) -> None:
    assert validate(ImageFolder.Config, {"path": str(data)}, Origin()).path == data


def test_a_relative_path_starts_at_the_working_folder(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data.parent)
    assert _flow(Path("data")).describe() == _flow(data).describe()


def test_other_files_are_passed_over(data: Path) -> None:
    before = _flow(data).describe()
    (data / "train/cat/notes.txt").write_text("not a picture")
    (data / "train/readme.png").write_text("not in a class")
    assert _flow(data).describe() == before


def test_pictures_in_folders_of_a_class_folder_are_found(data: Path) -> None:
    write_pictures(data / "train/cat", {"more": 3})
    assert _flow(data).describe().sizes["train"] == 12


def test_a_size_brings_all_pictures_to_one_shape(data: Path) -> None:
    write_pictures(data / "train", {"cat": 3}, size=(9, 20))
    batch = next(_flow(data, size=4).batches("train", device="cpu", train=False))
    assert batch.images.shape[1:] == (3, 4, 4)


def test_grey_pictures_can_stay_grey(tmp_path: Path) -> None:
    write_data_set(tmp_path, mode="L")
    assert _flow(tmp_path, channels=1).describe().image_shape == (1, 5, 6)


def test_pictures_of_different_sizes_need_a_size(data: Path) -> None:
    write_pictures(data / "train", {"dog": 1}, size=(9, 9))
    with pytest.raises(ConfigError, match=r"cat/0\.png is 6x5, .*dog/0\.png is 9x9") as caught:
        _flow(data).batches("train", device="cpu", train=False)
    assert "dataflow.size" in caught.value.hint


@pytest.mark.parametrize("change", [{"size": 4}, {"channels": 1}])
def test_the_fingerprint_changes_with_the_pixels(data: Path, change: dict[str, Any]) -> None:
    assert _flow(data).describe().fingerprint != _flow(data, **change).describe().fingerprint


def test_the_fingerprint_changes_with_a_file(data: Path) -> None:
    before = _flow(data).describe().fingerprint
    (data / "test/cat/0.png").write_bytes(b"other")
    assert _flow(data).describe().fingerprint != before


def test_the_fingerprint_does_not_change_with_random_views(data: Path) -> None:
    plain, views = (
        _flow(data, size=4, augment=PictureAugment(random_resized_crop=views)).describe() for views in (False, True)
    )
    assert plain == views


def test_random_views_change_with_the_epoch_alone(data: Path) -> None:
    flow = _flow(data, size=4, batch_size=9, augment=VIEWS)
    first, again, other = (list(flow.batches("train", device="cpu", train=True, epoch=e)) for e in (0, 0, 1))
    assert same(first, again)
    assert not torch.equal(first[0].images.sort(dim=0)[0], other[0].images.sort(dim=0)[0])


def test_random_views_do_not_depend_on_the_batch_size(data: Path) -> None:
    one, other = (
        torch.cat([b.images for b in flow.batches("train", device="cpu", train=True)])
        for flow in (_flow(data, size=4, batch_size=size, augment=VIEWS) for size in (3, 9))
    )
    assert torch.equal(one, other)


def test_random_views_replace_the_padded_crop() -> None:
    assert (VIEWS.padding, PictureAugment().padding) == (0, 4)


def test_random_views_need_a_size() -> None:
    with pytest.raises(ConfigError, match="needs a `size`"):
        validate(ImageFolder.Config, {"path": "x", "augment": {"random_resized_crop": True}}, Origin())


@pytest.mark.parametrize("in_memory_mb", [0, 2048])
def test_a_broken_picture_fails_by_name(data: Path, in_memory_mb: int) -> None:
    (data / "train/dog/2.png").write_bytes(b"")
    flow = _flow(data, in_memory_mb=in_memory_mb, normalise="imagenet")
    with pytest.raises(RunFailed, match=r"train/dog/2\.png is empty"):
        list(flow.batches(("train", "valid"), device="cpu", train=False))


def test_broken_test_pictures_do_not_disturb_training(data: Path) -> None:
    (data / "test/cat/0.png").write_bytes(b"")
    assert list(_flow(data).batches("train", device="cpu", train=True))


def test_a_missing_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"dataflow\.path: there is no"):
        _flow(tmp_path / "gone").describe()


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_missing_part_is_refused(data: Path, part: str) -> None:
    shutil.rmtree(data / part)
    with pytest.raises(ConfigError, match=f"no folder '{part}'") as caught:
        _flow(data).describe()
    assert "it should hold train/CLASS/… and test/CLASS/…" in caught.value.hint


def test_a_part_without_class_folders_is_refused(data: Path) -> None:
    shutil.rmtree(data / "train")
    (data / "train").mkdir()
    with pytest.raises(ConfigError, match="no class folders"):
        _flow(data).describe()


def test_one_class_is_refused(data: Path) -> None:
    shutil.rmtree(data / "train/cat")
    with pytest.raises(ConfigError, match="one class folder, 'dog'"):
        _flow(data).describe()


@pytest.mark.parametrize("archived", [False, True])
def test_a_class_folder_without_pictures_is_refused(data: Path, tmp_path: Path, archived: bool) -> None:
    (data / "train/emu").mkdir()
    path = zipped(data, tmp_path / "data.zip") if archived else data
    with pytest.raises(ConfigError, match="train/emu has no pictures"):
        _flow(path).describe()


def test_other_classes_in_the_test_part_are_refused(data: Path) -> None:
    (data / "test/cat").rename(data / "test/lion")
    with pytest.raises(ConfigError, match=r"(?s)other classes.*lacks cat and adds lion"):
        _flow(data).describe()


def test_cifar_archives_are_read_whole() -> None:
    train, test = SHARED / "cifar10-jpeg-train.zip", SHARED / "cifar10-jpeg-test.zip"
    if not train.is_file() or not test.is_file():
        pytest.skip(f"no CIFAR archives in {SHARED}")
    flow = _flow(train, test_path=test, batch_size=1000)
    assert flow.describe().sizes == {"train": 45000, "arch": 22500, "valid": 5000, "test": 10000}
    labels = torch.cat([b.labels for b in flow.batches("test", device="cpu", train=False)])
    assert np.bincount(labels).tolist() == [1000] * 10
    assert flow.normalisation.mean == pytest.approx((0.4914, 0.4822, 0.4465), abs=1e-3)


def _flow(path: Path, **options: Any) -> ImageFolder:
    return ImageFolder(ImageFolder.Config(path=path, **options))
