from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nascli.dataflow.base import Augment, Batch, Dataflow
from nascli.dataflow.sampling import Indices, Pixels
from nascli.dataflow.sources import ArraySource
from nascli.errors import ConfigError, RunFailed

from .helpers import arrays, flat, numbered, numbered_part, random_part, same, seen

ALL = Augment(crop_padding=2, flip=True)


def test_evaluation_sees_every_image_once_in_order() -> None:
    flow = numbered(batch_size=4)
    assert flat(flow, flow.batches("train", device="cpu", train=False)) == list(flow.indices("train"))


def test_evaluation_does_not_augment() -> None:
    flow = arrays(random_part(20, 0), augment=ALL)
    plain = arrays(random_part(20, 0), augment=Augment(crop_padding=0, flip=False))
    assert same(*(f.batches("valid", device="cpu", train=False, seed=s) for f, s in ((flow, 0), (plain, 1))))


def test_batches_are_float_images_with_their_labels() -> None:
    batch = next(numbered(batch_size=4).batches("train", device="cpu", train=True))
    assert (batch.images.dtype, batch.images.shape) == (torch.float32, (4, 1, 2, 2))
    assert (batch.labels.dtype, batch.labels.shape) == (torch.int64, (4,))


def test_pixels_are_those_of_the_places_in_an_evaluation_pass() -> None:
    flow = numbered(batch_size=4)
    valid, test = (flow.pixels(split, [2, 0]) for split in ("valid", "test"))
    assert (test.shape, test.dtype, test[:, 0, 0, 0].tolist()) == ((2, 1, 2, 2), np.uint8, [32, 30])
    assert valid[:, 0, 0, 0].tolist() == flow.indices("valid")[[2, 0]].tolist()
    assert flow.pixels("test", []).shape == (0, 1, 2, 2)


def test_labels_belong_to_their_images() -> None:
    flow = numbered(batch_size=4)
    for batch in flow.batches("train", device="cpu", train=True):
        assert [n % 3 for n in seen(flow, [batch])[0]] == batch.labels.tolist()


def test_images_are_normalised_to_mean_zero_and_std_one() -> None:
    flow = arrays(random_part(40, 0), valid_share=0.0, batch_size=40)
    images = next(flow.batches("train", device="cpu", train=False)).images
    assert torch.allclose(images.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(images.std(dim=(0, 2, 3), correction=0), torch.ones(3), atol=1e-5)


def test_training_drops_the_incomplete_last_batch() -> None:
    flow = numbered(batch_size=4)
    assert [len(b) for b in seen(flow, flow.batches("train", device="cpu", train=True))] == [4] * 6


def test_training_on_less_than_a_batch_gives_one_batch() -> None:
    flow = numbered(batch_size=100)
    assert [len(b) for b in seen(flow, flow.batches("train", device="cpu", train=True))] == [27]
    assert flow.steps_per_epoch("train") == 1


def test_steps_per_epoch_counts_the_training_batches() -> None:
    flow = numbered(batch_size=4)
    assert flow.steps_per_epoch("train", withhold_arch=True) == len(
        list(flow.batches("train", device="cpu", train=True, withhold_arch=True))
    )


def test_epochs_come_in_different_order() -> None:
    flow = numbered()
    first, second = (seen(flow, flow.batches("train", device="cpu", train=True, epoch=e))[0] for e in (0, 1))
    assert first != second
    assert sorted(first) == sorted(second)


def test_seeds_come_in_different_order() -> None:
    flow = numbered()
    first, second = (seen(flow, flow.batches("train", device="cpu", train=True, seed=s)) for s in (0, 1))
    assert first != second


@pytest.mark.parametrize("start", [1, 3, 5])
@pytest.mark.parametrize("in_memory_mb", [0, 2048])
def test_a_later_start_gives_the_same_batches(start: int, in_memory_mb: int) -> None:
    flow = arrays(random_part(60, 0), batch_size=8, augment=ALL, in_memory_mb=in_memory_mb)
    whole = list(flow.batches("train", device="cpu", train=True, epoch=2, seed=5))
    rest = flow.batches("train", device="cpu", train=True, epoch=2, seed=5, start=start)
    assert same(whole[start:], rest)
    assert list(flow.batches("train", device="cpu", train=True, start=len(whole))) == []


def test_a_start_at_the_end_gives_nothing() -> None:
    flow = numbered(batch_size=4)
    assert list(flow.batches("train", device="cpu", train=True, start=6)) == []


def test_augmentation_does_not_depend_on_the_batch_size() -> None:
    images = [_all_images(batch_size=size) for size in (4, 6)]
    assert torch.equal(*images)


@pytest.mark.parametrize("other", [{"seed": 1}, {"epoch": 1}])
def test_augmentation_changes_with_seed_and_epoch(other: dict[str, Any]) -> None:
    one = arrays(numbered_ramp(), augment=ALL, valid_share=0.0, batch_size=1)
    first, second = (
        next(one.batches("train", device="cpu", train=True, **numbers)).images
        for numbers in ({"seed": 0, "epoch": 0}, {"seed": 0, "epoch": 0, **other})
    )
    assert not torch.equal(first, second)


def test_withheld_arch_images_are_not_trained_on() -> None:
    flow = numbered(batch_size=1)
    numbers = flat(flow, flow.batches("train", device="cpu", train=True, withhold_arch=True))
    assert set(numbers) == set(flow.indices("train")) - set(flow.indices("arch"))


def test_splits_can_be_united() -> None:
    flow = numbered(batch_size=1)
    numbers = flat(flow, flow.batches(("train", "valid"), device="cpu", train=True))
    assert sorted(numbers) == list(range(30))


@pytest.mark.parametrize("in_memory_mb", [0, 2048])
def test_a_validation_part_can_be_united_with_train(in_memory_mb: int) -> None:
    flow = arrays(
        numbered_part(30), valid=numbered_part(9, 30), batch_size=13, in_memory_mb=in_memory_mb, normalise="train"
    )
    batches = list(flow.batches(("train", "valid"), device="cpu", train=False))
    assert flat(flow, batches) == list(range(39))
    assert torch.cat([b.labels for b in batches]).tolist() == [*(np.arange(30) % 3), *(np.arange(9) % 3)]


def test_training_on_test_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be trained on"):
        numbered().batches(("train", "test"), device="cpu", train=True)


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ConfigError, match="no split 'val'"):
        numbered().indices("val")


def test_an_empty_split_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"split valid .* no images"):
        numbered(valid_share=0.0).batches("valid", device="cpu", train=False)


def test_a_data_set_without_test_part_is_refused() -> None:
    flow = numbered()
    del flow.parts["test"]
    with pytest.raises(ConfigError, match="no test images"):
        flow.describe()


def test_labels_without_a_class_are_refused() -> None:
    flow = arrays(ArraySource.of(np.zeros((6, 1, 2, 2), np.uint8), np.arange(6)))
    with pytest.raises(RunFailed, match="label 3"):
        flow.describe()


def test_arrays_of_another_shape_are_refused() -> None:
    wrong = ArraySource("x", (1, 2, 2), 5, lambda: (np.zeros((6, 1, 2, 2), np.uint8), np.arange(6)))
    with pytest.raises(RunFailed, match="expected uint8"):
        arrays(wrong).describe()


def test_calibration_takes_the_same_training_images_each_time() -> None:
    flow = numbered(batch_size=4)
    first, second = (flat(flow, _calibration(flow, 10, seed=3)) for _ in range(2))
    assert first == second
    assert len(set(first)) == 10
    assert set(first) < set(flow.indices("train"))


def test_calibration_with_more_images_than_there_are_takes_all() -> None:
    flow = numbered()
    assert sorted(flat(flow, _calibration(flow, 1000, seed=0))) == list(flow.indices("train"))


def test_calibration_changes_with_the_seed() -> None:
    flow = numbered()
    first, second = (seen(flow, _calibration(flow, 10, seed=seed)) for seed in (0, 1))
    assert first != second


@pytest.mark.parametrize("in_memory_mb", [0, 2048])
def test_no_global_generator_is_touched(in_memory_mb: int) -> None:
    flow = arrays(random_part(20, 0), augment=Augment(randaugment=True), in_memory_mb=in_memory_mb, batch_size=4)
    before = torch.get_rng_state(), np.random.get_state()[1].tobytes()  # type: ignore[index]
    list(flow.batches("train", device="cpu", train=True))
    list(_calibration(flow, 5, seed=0))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tobytes() == before[1]  # type: ignore[index]


def test_test_images_are_not_read_before_they_are_asked_for() -> None:
    def read() -> tuple[Pixels, Indices]:
        raise AssertionError("the test part was read")

    flow = arrays(random_part(30, 0), ArraySource("test", (3, 6, 5), 6, read), batch_size=4)
    flow.describe()
    list(flow.batches(("train", "valid"), device="cpu", train=True))
    list(_calibration(flow, 5, seed=0))
    with pytest.raises(AssertionError, match="was read"):
        flow.batches("test", device="cpu", train=False)


def test_channels_last_changes_the_layout_alone() -> None:
    flow = arrays(random_part(20, 0), batch_size=4)
    last, first = (next(flow.batches("train", device="cpu", train=True, channels_last=c)).images for c in (True, False))
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(last, first)


def test_importing_and_describing_does_not_import_torch() -> None:
    modules = ["base", "digits", "cifar", "image_folder", "synthetic"]
    code = "; ".join(f"import nascli.dataflow.{module}" for module in modules)
    code += "; nascli.dataflow.digits.Digits().describe()"
    code += "; import sys; sys.exit(bool({'torch', 'torchvision', 'PIL', 'h5py'} & set(sys.modules)))"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def _calibration(flow: Dataflow, n_images: int, seed: int) -> Iterator[Batch]:
    return flow.batches("train", train=False, device="cpu", limit=n_images, seed=seed)


def numbered_ramp() -> ArraySource:
    """Three copies of one image, so that order does not show, with all pixels different."""
    image = np.arange(5, 41, dtype=np.uint8).reshape(1, 1, 6, 6)
    return ArraySource.of(np.tile(image, (3, 1, 1, 1)), np.arange(3))


def _all_images(batch_size: int) -> torch.Tensor:
    flow = arrays(random_part(24, 0), augment=ALL, batch_size=batch_size, valid_share=0.0)
    return torch.cat([b.images for b in flow.batches("train", device="cpu", train=True)])


@pytest.mark.parametrize("in_memory_mb", [0, 2048])
def test_randaugment_of_images_that_it_does_not_know_is_refused(in_memory_mb: int) -> None:
    options = {"augment": Augment(randaugment=True), "in_memory_mb": in_memory_mb, "normalise": "train"}
    flow = arrays(random_part(6, 0, (2, 6, 5)), **options)
    with pytest.raises(ConfigError, match="'arrays' have 2 channels"):
        flow.batches("train", train=True, device="cpu")
